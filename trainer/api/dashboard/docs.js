// Shows openapi.json with Swagger UI.

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  validatorUrl: null, // it would send the description to another host
});
