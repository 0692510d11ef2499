// Updates that failed, and the button that retries them. The server reports its own errors (callbacks/shell.py);
// this script notices that it does not answer at all.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const { noUpdate, register, setProps } = window.trackerDash;
  const UPDATES = window.trackerPaths.at("/_dash-update-component");
  const NO_ANSWER = "The server did not answer. The update is retried when it does.";

  /** @type {string[]} */
  let unanswered = []; // properties that triggered unanswered updates, as "id.property"

  /**
   * Sets properties to their own values, which Dash takes for a change; loads the page again if there are none.
   * @param {string[] | null} properties
   */
  function update(properties) {
    if (!properties || !properties.length) return window.location.reload();
    for (const name of properties) {
      const dot = name.lastIndexOf(".");
      const [id, property] = [name.slice(0, dot), name.slice(dot + 1)];
      const component = window.dash_component_api.getLayout(id);
      if (component) setProps(id, { [property]: component.props[property] });
    }
  }

  /**
   * @param {number} _clicks
   * @param {string[] | null} failed
   */
  function retry(_clicks, failed) {
    unanswered = [];
    update(failed);
    return false;
  }

  /** @param {Live | null} live */
  function recover(live) {
    if (!unanswered.length || !live || live.connection !== "ok") return noUpdate();
    const properties = unanswered;
    unanswered = [];
    update(properties);
    return false;
  }

  /** @param {RequestInit | undefined} request */
  function report(request) {
    const triggers = JSON.parse(String(request?.body)).changedPropIds || [];
    unanswered = [...new Set([...unanswered, ...triggers])];
    setProps(ids.failed, { data: unanswered });
    setProps(ids.toastText, { children: NO_ANSWER });
    setProps(ids.toast, { is_open: true });
  }

  const originalFetch = window.fetch;
  window.fetch = async function (address, request) {
    if (typeof address !== "string" || !address.includes(UPDATES)) return originalFetch.call(window, address, request);
    try {
      const answer = await originalFetch.call(window, address, request);
      if (answer.status >= 500) report(request);
      return answer;
    } catch (error) {
      if (!(error instanceof DOMException && error.name === "AbortError")) report(request);
      throw error;
    }
  };

  register({ retry, recover });
})();
