// Replays a rule: asks the API, shows the progress, and passes on the part of the answer that the page shows.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const { noUpdate, register, setProps } = window.trackerDash;
  const WAITING = "Waiting for another replay to finish.";
  const READING = "Replaying the stored prices. Many metrics over 7 d take some seconds.";
  const NO_ANSWER = "The server did not answer.";

  /** @type {AbortController | null} */
  let running = null; // aborts the replay under way

  /**
   * Shows the progress; false if the form was left.
   * @param {number | null} share null while the replay waits for another one
   */
  function showProgress(share) {
    const bar = /** @type {HTMLProgressElement | null} */ (document.getElementById(ids.replayProgress));
    const line = document.getElementById(ids.replayText);
    if (!bar || !line) return false;
    const text = share === null ? WAITING : READING;
    if (line.textContent !== text) line.textContent = text; // a screen reader says it each time that it is set
    if (share) bar.value = share;
    else bar.removeAttribute("value"); // indeterminate
    return true;
  }

  /** @param {boolean} isUnderWay */
  function showWaiting(isUnderWay) {
    setProps(ids.replayWait, { className: isUnderWay ? "replay-wait" : "replay-wait is-hidden" });
    setProps(ids.replay, { className: isUnderWay ? "is-hidden" : "" });
  }

  /**
   * The server-sent events of an answer.
   * @param {Response} answer
   * @returns {AsyncGenerator<ReplayEvent>}
   */
  async function* eventsOf(answer) {
    if (!answer.body) return;
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; ;) {
      const { done, value } = await reader.read();
      if (done) return;
      const events = (text + value).split("\n\n");
      text = events.pop() ?? "";
      for (const event of events) {
        const [name, data] = event.split("\n");
        const parsed = JSON.parse(data.slice("data: ".length));
        yield /** @type {ReplayEvent} */ ([name.slice("event: ".length), parsed]);
      }
    }
  }

  /** @param {string} iso */
  const toEpoch = (iso) => Date.parse(iso) / 1000;

  /**
   * @param {ReplayAnswer} answer
   * @param {ReplayRequest} request
   * @returns {ReplayResult}
   */
  function resultOf(answer, request) {
    const { limits, span } = request;
    const top = answer.metrics.slice(0, limits.metrics);
    /** @type {ReplayResult["markers"]} */
    const markers = Object.fromEntries(top.map((metric) => [metric.metric_id, []]));
    for (const firing of answer.firings) markers[firing.metric_id]?.push([toEpoch(firing.fired_at), firing.price]);
    for (const id in markers) markers[id] = markers[id].slice(-limits.markers);
    return {
      span,
      since: toEpoch(answer.since),
      until: toEpoch(answer.until),
      count: answer.count,
      metrics: answer.metrics.length,
      top: top.map((metric) => [metric.metric_id, metric.count]),
      markers,
      newest: answer.firings.slice(-limits.listed).reverse(),
    };
  }

  /**
   * The outcome of a replay; null if the form was left.
   * @param {ReplayRequest} request
   * @param {AbortSignal} signal
   * @returns {Promise<ReplayResult | ReplayProblem | null>}
   */
  async function replay(request, signal) {
    const answer = await fetch(window.trackerPaths.at("/alerts/rules/replay"), {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "text/event-stream" },
      body: JSON.stringify(request.body),
      signal,
    });
    if (!answer.ok) return { problem: (await answer.json()).detail, status: answer.status };
    for await (const [name, data] of eventsOf(answer)) {
      if (name === "result") return resultOf(data, request);
      if (name === "problem") return { problem: data.detail, status: data.status };
      if (!showProgress(data.share)) return null;
    }
    return { problem: NO_ANSWER };
  }

  /** @param {ReplayRequest | null} request */
  async function replayRule(request) {
    if (!request) return noUpdate();
    if (running) running.abort();
    const abort = new AbortController();
    running = abort;
    showProgress(0);
    showWaiting(true);
    /** @type {ReplayResult | ReplayProblem | null} */
    let outcome = null;
    try {
      outcome = await replay(request, abort.signal);
    } catch {
      if (!abort.signal.aborted) outcome = { problem: NO_ANSWER };
    }
    abort.abort(); // ends an answer that was not read to its end
    if (running !== abort) return noUpdate(); // another replay has begun
    running = null;
    showWaiting(false);
    return outcome ?? noUpdate();
  }

  /** @param {number | null} clicks */
  function cancelReplay(clicks) {
    if (clicks && running) running.abort();
    return noUpdate();
  }

  register({ replayRule, cancelReplay });
})();
