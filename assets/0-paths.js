// Where the server's own paths are: below the prefix that it is reached by, if there is one, as layouts/shell.py says.
(function () {
  "use strict";
  const root = document.documentElement?.dataset?.root || "";

  // The address of a path.
  const at = (path) => root + path;

  // The path of an address on this site.
  function within(address) {
    const isBelow = root && (address === root || address.startsWith(root + "/"));
    return (isBelow ? address.slice(root.length) : address) || "/";
  }

  window.trackerPaths = { at, within };
})();
