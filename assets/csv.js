// CSV as the buttons give it: with a byte order mark, by which spreadsheets know UTF-8. The API sends none.
(function () {
  "use strict";
  const MARK = "\ufeff";

  const stamp = () => new Date().toISOString().slice(0, 16).replace(":", "") + "Z";

  // As the file `<kind>-<time>.csv`.
  function save(text, kind) {
    const link = document.createElement("a");
    const address = URL.createObjectURL(new Blob([MARK, text], { type: "text/csv" }));
    link.href = address;
    link.download = kind + "-" + stamp() + ".csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 60000); // ms; the download has begun long before
  }

  async function fetchAndSave(address) {
    try {
      const answer = await fetch(address);
      if (answer.ok) return save(await answer.text(), "alerts");
    } catch {
      // As below: the browser shows what is wrong.
    }
    window.location.assign(address);
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("#" + window.trackerIds.historyCsv);
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return; // who opens it elsewhere gets it as it is
    event.preventDefault();
    fetchAndSave(link.href);
  });

  window.trackerCsv = { save };
})();
