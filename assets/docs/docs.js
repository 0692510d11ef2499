// Draws the documentation of the API from its OpenAPI description.
window.SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  validatorUrl: null,
});
