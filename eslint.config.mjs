import js from "@eslint/js";
import globals from "globals";

export default [
  { ignores: ["assets/vendor/"] },
  js.configs.recommended,
  {
    files: ["assets/**/*.js", "scripts/**/*.mjs"],
    rules: {
      "max-lines-per-function": ["error", { max: 60, skipBlankLines: true, skipComments: true }],
      complexity: ["error", 12],
    },
  },
  // Dash loads these as they are, one after the other: plain scripts, no modules.
  { files: ["assets/**/*.js"], languageOptions: { sourceType: "script", globals: globals.browser } },
  { files: ["**/*.mjs"], languageOptions: { globals: globals.nodeBuiltin } },
];
