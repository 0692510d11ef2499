// Replays a rule: asks the API, shows the progress, and passes on the part of the answer that the page shows.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const WAITING = "Another replay is under way; this one is next.";
  const READING = "Going through what is stored. Many metrics over 7 d take some seconds.";
  const SILENCE = "The server did not answer.";
  const nothing = () => window.dash_clientside.no_update;

  /** @type {AbortController | null} */
  let running = null; // aborts the replay that is under way

  function show(share) {
    const bar = /** @type {HTMLProgressElement | null} */ (document.getElementById(ids.replayProgress));
    const line = document.getElementById(ids.replayText);
    if (!bar || !line) return false; // the form was left
    const text = share === null ? WAITING : READING;
    if (line.textContent !== text) line.textContent = text; // a screen reader says it each time that it is set
    if (share) bar.value = share;
    else bar.removeAttribute("value"); // of which nobody knows how much
    return true;
  }

  function wait(isUnderWay) {
    window.dash_clientside.set_props(ids.replayWait, {
      className: isUnderWay ? "replay-wait" : "replay-wait is-hidden",
    });
    window.dash_clientside.set_props(ids.replay, { className: isUnderWay ? "is-hidden" : "" });
  }

  // The server-sent events of an answer, as [name, data].
  async function* eventsOf(answer) {
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; ;) {
      const { done, value } = await reader.read();
      if (done) return;
      const events = (text + value).split("\n\n");
      text = events.pop() ?? "";
      for (const event of events) {
        const [name, data] = event.split("\n");
        yield [name.slice("event: ".length), JSON.parse(data.slice("data: ".length))];
      }
    }
  }

  const second = (iso) => Date.parse(iso) / 1000;

  function resultOf(result, request) {
    const top = result.metrics.slice(0, request.limits.metrics);
    const markers = Object.fromEntries(top.map((metric) => [metric.metric_id, []]));
    for (const firing of result.firings) markers[firing.metric_id]?.push([second(firing.fired_at), firing.price]);
    for (const number in markers) markers[number] = markers[number].slice(-request.limits.markers);
    return {
      span: request.span,
      since: second(result.since),
      until: second(result.until),
      count: result.count,
      metrics: result.metrics.length,
      top: top.map((metric) => [metric.metric_id, metric.count]),
      markers,
      newest: result.firings.slice(-request.limits.listed).reverse(),
    };
  }

  async function ask(request, signal) {
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
      if (!show(data.share)) return null;
    }
    return { problem: SILENCE };
  }

  async function replayRule(request) {
    if (!request) return nothing();
    if (running) running.abort();
    const own = new AbortController();
    running = own;
    show(0);
    wait(true);
    /** @type {Record<string, any> | null} */
    let outcome = null;
    try {
      outcome = await ask(request, own.signal);
    } catch {
      if (!own.signal.aborted) outcome = { problem: SILENCE };
    }
    own.abort(); // of an answer that is not read to its end
    if (running !== own) return nothing(); // another one has begun
    running = null;
    wait(false);
    return outcome ?? nothing();
  }

  function cancelReplay(clicks) {
    if (clicks && running) running.abort();
    return nothing();
  }

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.tracker = Object.assign(window.dash_clientside.tracker || {}, { replayRule, cancelReplay });
})();
