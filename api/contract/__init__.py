"""The contract of the interface: query models, JSON schemas and the OpenAPI document."""
