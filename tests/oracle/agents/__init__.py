"""The same scripted agent of langchain and of headrace."""
