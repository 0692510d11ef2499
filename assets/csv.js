// CSV files of the pages' buttons: with a byte order mark, by which spreadsheets recognise UTF-8. The API sends none.
(function () {
  "use strict";
  const BYTE_ORDER_MARK = "\ufeff";
  const REVOKE_AFTER = 60000; // ms; the download has begun long before

  const timestamp = () => new Date().toISOString().slice(0, 16).replace(":", "") + "Z";

  /**
   * Saves `text` as the file `<kind>-<time>.csv`.
   * @type {Window["trackerCsv"]["save"]}
   */
  function save(text, kind) {
    const link = document.createElement("a");
    const address = URL.createObjectURL(new Blob([BYTE_ORDER_MARK, text], { type: "text/csv" }));
    link.href = address;
    link.download = kind + "-" + timestamp() + ".csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), REVOKE_AFTER);
  }

  /** @param {string} address */
  async function fetchAndSave(address) {
    try {
      const answer = await fetch(address);
      if (answer.ok) return save(await answer.text(), "alerts");
    } catch {
      // The browser shows the error, as below.
    }
    window.location.assign(address);
  }

  document.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    const link = /** @type {HTMLAnchorElement | null} */ (target.closest("#" + window.trackerIds.historyCsv));
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return; // a new tab shows the API's answer
    event.preventDefault();
    fetchAndSave(link.href);
  });

  window.trackerCsv = { save };
})();
