"""The run document: pydantic only, no Keras and no database."""
