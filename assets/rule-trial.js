// A rule tried on the past: asks for the replay, shows how far it is, and hands on of the answer what the page tells.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const WAITING = "Another replay is under way; this one is next.";
  const READING = "Going through what is stored. Many metrics over 7 d take some seconds.";
  const SILENCE = "The server did not answer.";
  const nothing = () => window.dash_clientside.no_update;

  /** @type {AbortController | null} */
  let running = null; // ends the trial that is under way

  function show(share) {
    const bar = /** @type {HTMLProgressElement | null} */ (document.getElementById(ids.trialShare));
    const words = document.getElementById(ids.trialWords);
    if (!bar || !words) return false; // the form was left
    const text = share === null ? WAITING : READING;
    if (words.textContent !== text) words.textContent = text; // a screen reader says it each time that it is set
    if (share) bar.value = share;
    else bar.removeAttribute("value"); // of which nobody knows how much
    return true;
  }

  function wait(isUnderWay) {
    window.dash_clientside.set_props(ids.trialWait, { className: isUnderWay ? "trial-wait" : "trial-wait is-hidden" });
    window.dash_clientside.set_props(ids.trial, { className: isUnderWay ? "is-hidden" : "" });
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

  function found(result, order) {
    const top = result.metrics.slice(0, order.most.metrics);
    const marks = Object.fromEntries(top.map((metric) => [metric.metric_id, []]));
    for (const firing of result.firings) marks[firing.metric_id]?.push([second(firing.fired_at), firing.price]);
    for (const number in marks) marks[number] = marks[number].slice(-order.most.marks);
    return {
      span: order.span,
      since: second(result.since),
      until: second(result.until),
      count: result.count,
      metrics: result.metrics.length,
      top: top.map((metric) => [metric.metric_id, metric.count]),
      marks,
      newest: result.firings.slice(-order.most.listed).reverse(),
    };
  }

  async function asked(order, signal) {
    const answer = await fetch(window.trackerPaths.at("/alerts/rules/replay"), {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "text/event-stream" },
      body: JSON.stringify(order.body),
      signal,
    });
    if (!answer.ok) return { trouble: (await answer.json()).detail, status: answer.status };
    for await (const [name, data] of eventsOf(answer)) {
      if (name === "result") return found(data, order);
      if (name === "problem") return { trouble: data.detail, status: data.status };
      if (!show(data.share)) return null;
    }
    return { trouble: SILENCE };
  }

  async function tryRule(order) {
    if (!order) return nothing();
    if (running) running.abort();
    const mine = new AbortController();
    running = mine;
    show(0);
    wait(true);
    /** @type {Record<string, any> | null} */
    let outcome = null;
    try {
      outcome = await asked(order, mine.signal);
    } catch {
      if (!mine.signal.aborted) outcome = { trouble: SILENCE };
    }
    mine.abort(); // of an answer that is not read to its end
    if (running !== mine) return nothing(); // another one has begun
    running = null;
    wait(false);
    return outcome ?? nothing();
  }

  function cancelTrial(clicks) {
    if (clicks && running) running.abort();
    return nothing();
  }

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.tracker = Object.assign(window.dash_clientside.tracker || {}, { tryRule, cancelTrial });
})();
