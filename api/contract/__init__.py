"""What can be asked and what is answered: query models, JSON schemas and the OpenAPI document."""
