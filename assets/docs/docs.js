// Draws the description of the interface.
window.SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  validatorUrl: null,
});
