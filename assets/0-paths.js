// Addresses of the server's paths, below the prefix that the site is served at (layouts/shell.py).
(function () {
  "use strict";
  const root = document.documentElement?.dataset?.root || "";

  window.trackerPaths = {
    at: (path) => root + path,
    within(address) {
      const isBelow = root && (address === root || address.startsWith(root + "/"));
      return (isBelow ? address.slice(root.length) : address) || "/";
    },
  };
})();
