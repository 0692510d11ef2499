// The ranking's rows. They are fetched at each new revision, and once a period while history is filled in; what the user
// sorted, filtered, selected and scrolled belongs to the grid and is not touched.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const { at } = window.trackerPaths;
  const ranking = (window.trackerRanking = window.trackerRanking || {});
  const MANY = 1000; // metrics; where there are more, the first of them come before the others
  const FIRST = 100;
  const nothing = () => window.dash_clientside.no_update;

  /** @type {HTMLElement | null} */
  let page = null; // the element whose rows these are
  /** @type {{ revision: number | null, stale: boolean, minute?: string, news: string | null, at: number } | null} */
  let asked = null; // what was asked for last: its revision and whether its tick was stale, what was told with it, and when
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let later; // asks for what history has become
  let arrived = -1; // when the rows in the grid were asked for
  let metrics = []; // in the grid

  const percent = (fraction) => (fraction == null ? null : fraction * 100);

  function fromColumns(columns) {
    const named = Object.entries(columns);
    return columns.id.map((_, place) => {
      const metric = {};
      for (const [name, values] of named) metric[name] = values[place];
      return metric;
    });
  }

  function row(metric, rank, turnover) {
    return {
      id: metric.id + "",
      key: metric.market + ":" + metric.base + "-" + metric.quote,
      rank: rank,
      moved: rank == null || metric.rank_1h_ago == null ? null : metric.rank_1h_ago - rank,
      pair: metric.base + "/" + metric.quote,
      base: metric.base,
      quote: metric.quote,
      market: metric.market,
      price: metric.price,
      change_1h: percent(metric.change_1h),
      change_24h: percent(metric.change_24h),
      stdev: metric.stdev,
      volatility: percent(metric.volatility),
      log_volatility: percent(metric.log_volatility),
      range_1h: percent(metric.range_1h),
      range_24h: percent(metric.range_24h),
      high_24h: metric.high_24h,
      low_24h: metric.low_24h,
      volume: metric.volume_24h,
      turnover: turnover,
      alerted: metric.alerted_at,
      active: metric.active,
      mark: metric.active ? metric.new_at && "new" : metric.reason || "inactive",
      updated: metric.updated_at,
      coverage: percent(metric.coverage),
      ...ranking.trust(metric),
    };
  }

  // The place of each metric by the viewer's choice, 1 the largest; the server's own for its own order.
  function ranks(by, turnover) {
    if (by === ranking.address.USUAL_BY) return (metric) => metric.rank;
    const value = by === "volume" ? turnover : (metric) => metric[by];
    const known = metrics.filter((metric) => metric.active && value(metric) != null);
    const valued = known
      .map((metric) => [value(metric), metric.id])
      .sort((left, right) => right[0] - left[0] || left[1] - right[1]);
    const places = new Map(valued.map(([, id], place) => [id, place + 1]));
    return (metric) => places.get(metric.id) ?? null;
  }

  function rankAnew() {
    const { by } = ranking.view();
    const turnover = ranking.turnovers(metrics);
    const rank = ranks(by, turnover);
    return ranking.handOver(metrics.length, (place) => {
      const metric = metrics[place];
      const made = row(metric, rank(metric), turnover(metric));
      if (by !== ranking.address.USUAL_BY) made.moved = null; // it is known for the usual order alone
      return made;
    });
  }

  // What is in view at first, where that is the first by rank.
  async function showFirst() {
    if (!ranking.isUsual() || ranking.hasFavourites()) return;
    try {
      const answer = await fetch(at("/metrics?") + new URLSearchParams({ limit: FIRST + "" }), { cache: "no-cache" });
      if (!answer.ok) return;
      metrics = (await answer.json()).metrics;
      await rankAnew();
      showFrame(true);
    } catch {
      // the whole is on its way
    }
  }

  // The table, or what to do where there are no metrics. Not by what a call answers: Dash hears only the call that came
  // last, and the poller may have news before these rows are there.
  function showFrame(hasRows) {
    if (!document.getElementById(ids.frame)) return;
    window.dash_clientside.set_props(ids.frame, { className: hasRows ? "grid-frame" : "grid-frame is-hidden" });
    window.dash_clientside.set_props(ids.nothingYet, { className: hasRows ? "empty-state is-hidden" : "empty-state" });
  }

  // Whether `live` tells of history that is being filled in, and of nothing else; its rows are then due once a period.
  function isHistoryAlone(live) {
    if (!live || !asked || !live.backfills?.length || asked.news !== window.trackerLive.changesOf(live)) return false;
    clearTimeout(later);
    const wait = asked.at + live.period * 1000 - performance.now();
    if (wait > 0) later = setTimeout(() => document.getElementById(ids.ranking) === page && rows(live), wait);
    return wait > 0;
  }

  // Whether one tick, and nothing else, lies between two states.
  const isNextTick = (before, now) => now.revision === before.revision + 1 && now.minute !== before.minute;

  async function rows(live) {
    // A page that has just come is told by its element: its first call may be for the poller's news as well.
    const frame = document.getElementById(ids.ranking);
    if (page === null || page !== frame) {
      page = frame;
      asked = null;
      ranking.begin();
      ranking.settle();
    }
    ranking.hear(live);
    const wanted = live ? live.revision : null;
    const stale = Boolean(live?.stale);
    const unchanged = [nothing(), nothing()];
    const isKnown = asked && asked.revision === wanted && asked.stale === stale;
    if ((live && live.connection !== "ok") || isKnown || isHistoryAlone(live)) return unchanged;
    const news = live && live.backfills ? window.trackerLive.changesOf(live) : null;
    const mine = { revision: wanted, stale, minute: live?.minute, news, at: performance.now() };
    const before = asked;
    asked = mine;
    clearTimeout(later);
    if (!before && live && live.tracked > MANY) await showFirst();
    try {
      const answer = await fetch(at("/table"), { cache: "no-cache" });
      if (!answer.ok) throw new Error(answer.statusText);
      const { columns } = await answer.json();
      if (mine.at < arrived) return unchanged; // newer ones were faster
      metrics = fromColumns(columns);
      arrived = mine.at;
    } catch {
      if (asked === mine) asked = before; // the poller tells why, and calls again when it is over
      return unchanged;
    }
    ranking.offerChoices(metrics);
    if (ranking.noteNames(metrics)) ranking.fit(await ranking.api());
    await rankAnew();
    ranking.followTick(mine.minute, before !== null && !isNextTick(before, mine));
    showFrame(metrics.length > 0);
    return unchanged;
  }

  // ---- what the grid calls by name
  function open(id) {
    window.dash_clientside.set_props(ids.location, { pathname: at("/metric/" + id), search: "", hash: "" });
    window.scrollTo(0, 0);
  }

  const functions = (window.dashAgGridFunctions = window.dashAgGridFunctions || {});
  Object.assign(functions, window.trackerNotation, {
    nullsLast(left, right, _leftNode, _rightNode, descending) {
      if (left == null || right == null) {
        if (left == null && right == null) return 0;
        return (left == null) !== descending ? 1 : -1;
      }
      return left < right ? -1 : left > right ? 1 : 0;
    },
    openRow(params) {
      const click = params.event;
      // With a modifier one selects, or opens a tab by the cell's own link.
      if (click && (click.ctrlKey || click.metaKey || click.shiftKey || click.target.closest(".star"))) return;
      open(params.data.id);
    },
    pressKey(params) {
      const key = params.event && params.event.key;
      if ((key !== "Enter" && key !== " ") || !params.data) return;
      params.event.preventDefault();
      if (params.column.getColId() === "star") ranking.toggleFavourite(params.data);
      else open(params.data.id);
    },
    fitColumns: (params) => ranking.fit(params.api),
    noteState(params) {
      const sorted = params.api.getColumnState().filter((column) => column.sort);
      const sort = sorted
        .sort((left, right) => left.sortIndex - right.sortIndex)
        .map(({ colId, sort }) => ({ colId, sort }));
      // By nothing is by rank: the grid would keep the order in which the rows once came.
      if (!sort.length) return params.api.applyColumnState({ state: ranking.address.USUAL_SORT });
      ranking.note({ where: params.api.getFilterModel(), sort });
    },
  });

  Object.assign(ranking, /** @satisfies {Partial<Ranking>} */ ({ rankAnew, open }));
  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.tracker = Object.assign(window.dash_clientside.tracker || {}, { rows });
})();
