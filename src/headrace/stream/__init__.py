"""What a run tells its consumers: events, and the shapes that users ask for."""
