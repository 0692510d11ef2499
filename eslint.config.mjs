import js from "@eslint/js";
import globals from "globals";

export default [
  { ignores: ["assets/vendor/"] },
  js.configs.recommended,
  // Dash loads these as they are, one after the other: plain scripts, no modules.
  { files: ["assets/**/*.js"], languageOptions: { sourceType: "script", globals: globals.browser } },
  { files: ["**/*.mjs"], languageOptions: { globals: globals.nodeBuiltin } },
];
