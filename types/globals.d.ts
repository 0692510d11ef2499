// Types of the browser's scripts: what each puts into `window`, the JSON that the server sends (named as in
// api/contract/schemas.py), and the parts of Dash, AG Grid, plotly and d3 that the scripts use.
import type {
  CellClickedEvent,
  CellKeyDownEvent,
  ColDef,
  ColGroupDef,
  Column,
  GridApi,
  IRowNode,
  PostSortRowsParams,
} from "ag-grid-community";
import type { HierarchyRectangularNode, hierarchy, treemap } from "d3-hierarchy";
import type React from "react";

declare global {
  interface Window {
    trackerDash: TrackerDash;
    trackerIds: typeof trackerIds;
    trackerLive: {
      /** What pages show at once: a tick, an alert, a metric that comes or goes, the begin or end of a backfill. */
      urgentPart(live: Live): string;
      /** Milliseconds until a renewal of the page is due; more than 0 if only history has changed since the last. */
      waitAfter(renewal: { urgent: string | null; at: number } | null, live: Live): number;
    };
    trackerPaths: {
      /** The address of one of our paths. */
      at(path: string): string;
      /** The path of an address on this site, without the prefix. */
      within(address: string): string;
    };
    trackerNotation: Notation;
    trackerRanking: Ranking;
    trackerChart: Charts;
    trackerTimes: ChartTimes;
    trackerPicture: { savePicture(plot: Plot, title: string): Promise<void> };
    trackerCsv: { save(text: string, kind: string): void };
    trackerMarkup: { contentOf(nodes: MarkupNode[]): MarkupContent };
    data_tracker: { Markup(properties: MarkupProperties): React.ReactElement };

    dash_clientside: DashClientside;
    dash_component_api: { getLayout(id: string): { props: Record<string, unknown> } | undefined };
    dash_ag_grid: { getApiAsync(id: string): Promise<Grid> };
    dashAgGridFunctions: AnyFunctions;
    dashAgGridComponentFunctions: AnyFunctions;
    React: typeof React;
    Plotly: Plotly;
    SwaggerUIBundle(options: Record<string, unknown>): void;
    d3: D3;
    scheduler?: { yield?(): Promise<void> };
  }

  // ---- Dash: 0-dash.js

  /** `window.dash_clientside.no_update`: leaves an output as it is. */
  interface NoUpdate {
    description: string;
  }
  /** Functions that Dash or AG Grid calls by name. Each has its own parameters, which only `any` accepts. */
  type AnyFunctions = Record<string, (...parameters: any[]) => unknown>;
  interface DashClientside {
    no_update: NoUpdate;
    set_props(id: string, properties: object): void;
    /** `value` is whatever property changed: the callback that reads it knows which. */
    callback_context: { triggered: { prop_id: string; value?: any }[]; inputs_list: { id: string }[] };
    tracker: AnyFunctions;
  }
  interface TrackerDash {
    /** Adds callbacks that Python names with `ClientsideFunction("tracker", name)`. */
    register(callbacks: AnyFunctions): void;
    /** Adds functions that the table's options name. */
    registerGridFunctions(functions: AnyFunctions): void;
    noUpdate(): NoUpdate;
    setProps(id: string, properties: object): void;
    /** The ids of the components that triggered the running callback. */
    triggeredIds(): string[];
  }

  // ---- JSON from the server

  /** A metric of `/metrics` and `/table`: shares are fractions, times ISO 8601. */
  interface Metric {
    id: number;
    market: string;
    base: string;
    quote: string;
    rank: number | null;
    rank_1h_ago: number | null;
    stdev: number | null;
    price: number | null;
    change_1h: number | null;
    change_24h: number | null;
    range_1h: number | null;
    range_24h: number | null;
    high_24h: number | null;
    low_24h: number | null;
    volatility: number | null;
    log_volatility: number | null;
    volume_24h: number | null;
    active: boolean;
    reason: string | null;
    updated_at: string | null;
    alerted_at: string | null;
    new_at: string | null;
    stale: boolean;
    coverage: number;
  }
  /** An alert of `/alerts` and `/live`. */
  interface Alert {
    id: number;
    metric_id: number;
    market: string;
    base: string;
    quote: string;
    price: number;
    average: number;
    fired_at: string;
    rule: string | null;
    condition: string | null;
    no_data_since: string | null;
  }
  interface LiveExchange {
    market: string;
    failing_since: string | null;
    error: string | null;
    note: string | null;
  }
  interface LiveBackfill {
    market: string;
    done: number;
    total: number;
  }
  /** The answer of `/live`, and the state of the connection that the poller adds. */
  interface Live {
    connection: "ok" | "lost" | "database";
    /** Since when the connection has been lost. */
    since?: string;
    revision: number;
    minute: string | null;
    /** Seconds between ticks. */
    period: number;
    stale: boolean;
    database_away_since: string | null;
    tracked: number;
    live: number;
    stale_metrics: number;
    exchanges: LiveExchange[];
    backfills: LiveBackfill[];
    warnings: string[];
    cannot_write: string | null;
    /** The newest unacknowledged alerts. */
    alerts: Alert[];
    /** The number of all unacknowledged alerts. */
    unattended: number;
  }
  /** The answer of `/sparklines`. */
  interface SparklinesBody {
    minute: string | null;
    points: Record<string, number[]>;
    low: Record<string, number>;
    high: Record<string, number>;
  }

  // ---- numbers and times as text: 1-notation.js
  interface Notation {
    priceText(value?: number | null): string;
    changeText(percent?: number | null): string;
    shareText(percent?: number | null): string;
    amountText(value?: number | null): string;
    multipleText(value: number, average: number): string;
    wholeText(value?: number | null): string;
    timeText(iso?: string | null): string;
    durationText(seconds: number): string;
    windowText(coverage: number, hours: number): string;
    clockText(iso?: string | null): string;
    zoneChoice(): string;
    zoneName(): string;
    chooseZone(choice: string): void;
  }

  // ---- parts of pages: markup.js

  /** An element as `[tag, properties, ...children]`, a text, or a reference to a row. */
  type MarkupNode = MarkupElement | { row: string } | string | number | null;
  type MarkupElement = [tag: string, properties: object, ...children: MarkupNode[]];
  /** What layouts/markup.py sends: rows by their digests. The last of `known` is the digest of the root. */
  interface MarkupContent {
    known: string[];
    rows: Record<string, MarkupElement>;
  }
  interface MarkupProperties {
    id?: string;
    className?: string;
    role?: string;
    content: MarkupContent;
    known?: string[];
    setProps(properties: object): void;
    [attribute: `aria-${string}`]: string;
  }
  /** The `data-` attributes of a pressed button and of the elements around it. */
  type MarkupAction = { press: number } & Record<string, string | number | undefined>;

  // ---- alert history: alert-history.js

  /** The filters and the page of the alert history. */
  interface HistoryQuery {
    q: string;
    rule: string;
    state: string;
    span: string;
    unseen: boolean;
    page: number;
  }

  // ---- replays of rules: rule-replay.js, as in layouts/rule_replay.py
  interface ReplayBody {
    rule: object;
    since: string;
    until: string;
  }
  interface ReplayRequest {
    body: ReplayBody;
    span: string;
    limits: { metrics: number; markers: number; listed: number };
  }
  interface ReplayFiring {
    metric_id: number;
    price: number;
    fired_at: string;
  }
  /** The API's answer. */
  interface ReplayAnswer {
    since: string;
    until: string;
    count: number;
    metrics: { metric_id: number; count: number }[];
    firings: ReplayFiring[];
  }
  /** The part of the answer that the page shows; times in epoch seconds. */
  interface ReplayResult {
    span: string;
    since: number;
    until: number;
    count: number;
    metrics: number;
    top: [metricId: number, count: number][];
    markers: Record<string, [second: number, price: number][]>;
    newest: ReplayFiring[];
  }
  interface ReplayProblem {
    problem: string;
    status?: number;
  }
  /** Server-sent events of a replay. */
  type ReplayEvent =
    ["progress", { share: number | null }] | ["result", ReplayAnswer] | ["problem", { detail: string; status: number }];

  // ---- charts: chart.js

  /** What a chart shows, as its layout states it: the view, up to which revision and epoch second, and the time zone. */
  interface ChartMeta {
    view: string;
    revision: number;
    edge: number;
    zone: string;
    /** The begin and end of its time axis, in milliseconds. */
    shown: [number, number];
  }
  /** Times in UTC, as plotly takes them; null between two rings. */
  type Times = (string | null)[];
  /** Any of plotly's columns may stand in a trace. */
  interface Trace {
    x?: Times;
    [column: string]: any;
  }
  /** New points of a trace. They replace those after `after` (all if null); those before `first` are dropped. */
  interface TracePart {
    look?: object;
    after?: string | null;
    first?: string | null;
    rings?: boolean;
    columns: Record<string, unknown[]>;
  }
  interface ChartUpdate {
    meta: ChartMeta;
    from: number | null;
    traces: TracePart[];
    /** Changed parts of the layout: where history begins. */
    layout?: object;
  }
  interface Figure {
    layout?: { meta?: ChartMeta };
  }
  interface Axis {
    type: string;
    autorange: boolean;
    range: number[];
    r2l(value: number): number;
    _length: number;
  }
  interface Plot extends HTMLElement {
    data: Trace[];
    /** Any of plotly's settings may stand in a layout. */
    layout: { meta?: ChartMeta; [setting: string]: any };
    labelTimes?: () => Promise<void>;
    on(event: string, listener: () => unknown): void;
    removeListener(event: string, listener: () => unknown): void;
    _fullLayout: Record<string, Axis>;
    _fullData: { visible: boolean | "legendonly"; index: number }[];
  }
  interface Plotly {
    redraw(plot: Plot): Promise<Plot>;
    restyle(plot: Plot, change: object, traces: number[]): Promise<Plot>;
    relayout(plot: Plot, change: object): Promise<Plot>;
    update(plot: Plot, change: object, layout: object, traces: number[]): Promise<Plot>;
    toImage(figure: object, options: object): Promise<string>;
  }
  interface Charts {
    requestUpdate(id: string, revision: number | null | undefined, figure: Figure | null): Promise<object>;
    applyUpdate(id: string, update: ChartUpdate | null): void;
    plotOf(id: string): Plot | null;
    metaOf(plot: Plot | null): ChartMeta | null;
    keepZoom(): void;
  }

  // ---- their time axes: times.js
  interface ChartTimes {
    /** Labels of points at the times `x`, by the clock of `zone`. */
    pointLabels(x: Times, zone: string): string[];
    /** At most about `maxTicks` ticks between two moments (milliseconds) and their labels, by the clock of `zone`. */
    axisTicks(begin: number, end: number, zone: string, maxTicks: number): { moments: number[]; texts: string[] };
    /** Has the axis show the time between two moments (milliseconds) at the next drawing, unless it is zoomed. */
    moveAxis(plot: Plot, shown: [number, number], zone: string): void;
    /** Labels the times of a chart now and after each change. */
    follow(plot: Plot): Promise<void>;
  }

  // ---- the ranking: ranking/

  /** A row of the table: a metric by the names of the columns, shares in per cent. */
  interface Row extends Freshness {
    id: string;
    /** The same in another database: `kraken:BTC-USD`. */
    key: string;
    pair: string;
    market: string;
    base: string;
    quote: string;
    active: boolean;
    rank: number | null;
    /** Places gained within the last hour. */
    moved: number | null;
    price: number | null;
    change_1h: number | null;
    change_24h: number | null;
    stdev: number | null;
    volatility: number | null;
    log_volatility: number | null;
    range_1h: number | null;
    range_24h: number | null;
    high_24h: number | null;
    low_24h: number | null;
    volume: number | null;
    turnover: number | null;
    alerted: string | null;
    /** "new", or why the metric is inactive. */
    mark: string | null;
    updated: string | null;
    coverage: number | null;
    /** The direction of the last price change: 1 up, -1 down, 0 none yet. */
    went?: number;
  }
  /** How current a row's price is, and how much of its window is known. */
  interface Freshness {
    stale: boolean;
    /** The age of the price in seconds. */
    old: number | null;
    /** The age of a stale price, as "5 min"; "" for a current one. */
    age: string;
    /** The known part of the window, as "3 h of 24 h"; "" if it is full. */
    partial: string;
    /** The window is full. */
    full: boolean;
  }
  type Grid = GridApi<Row>;
  type GridColumn = Column;
  type RowNode = IRowNode<Row>;
  type ColumnDefinition = ColDef<Row>;
  type ColumnDefinitions = (ColDef<Row> | ColGroupDef<Row>)[];
  /** What layouts/ranking_columns.py says of the width of a column. */
  interface ColumnContext {
    widest?: string;
    look?: string;
    note?: string;
  }
  type CellClick = CellClickedEvent<Row>;
  type CellKey = CellKeyDownEvent<Row>;
  /** Properties of our cell renderers. */
  interface CellProperties<Value = unknown> {
    value: Value;
    data: Row;
    titles: Record<string, string>;
  }
  type Sort = { colId: string; sort: "asc" | "desc" }[];
  /** A filter of one column, as the grid's own filters make it. */
  interface ColumnFilter {
    filterType: "text" | "number";
    type?: string;
    filter?: string | number;
    filterTo?: number;
    operator?: "AND" | "OR";
    conditions?: ColumnFilter[];
  }
  type RankedBy = "stdev" | "volatility" | "log_volatility" | "range_1h" | "range_24h" | "change_24h" | "volume";
  /** What the viewer chose in the ranking; "" where nothing was chosen. The names are those of the address. */
  interface RankingView {
    by: RankedBy;
    only: string;
    hide: string;
    age: string;
    window: string;
    view: "table" | "map" | "both";
    size: "volume" | "volatility" | "equal";
    colour: "change_24h" | "change_1h" | "volatility";
    q: string;
    market: string;
    quote: string;
    sort: Sort;
    columns: string[] | null;
    where: Record<string, ColumnFilter>;
  }
  type ViewName = keyof RankingView;
  /** Makes the row at a place of the ranking. */
  type MakeRow = (place: number) => Row;
  interface Ranking {
    address: {
      read(search: string): RankingView;
      /** The query string of a view, "" for the default view. */
      write(view: RankingView): string;
      DEFAULT_BY: RankedBy;
      DEFAULT_SORT: Sort;
    };
    isDollar(name: string): boolean;
    isStable(base: string, quote: string): boolean;
    /** Turnovers of 24 h in one currency; null if a volume or an exchange rate is unknown. */
    turnovers(metrics: Metric[]): (metric: Metric) => number | null;
    setLive(live: Live | null): void;
    secondsOld(moment: string): number;
    freshness(metric: Metric): Freshness;
    showStale(chosen: boolean): void;
    isFavourite(row: { key: string }): boolean;
    hasFavourites(): boolean;
    toggleFavourite(row: Row): Promise<void>;
    favouritesFirst(params: PostSortRowsParams<Row>): void;
    setUpFilters(grid: Grid): void;
    setFilterOptions(metrics?: Metric[]): void;
    countRows(grid: Grid): void;
    fitColumns(grid: Grid): void;
    /** Notes the longest names; true if the columns need other widths for them. */
    setLongestNames(metrics: Metric[]): boolean;
    /** The least width of each column in pixels. */
    measureColumns(grid: Grid): Record<string, number>;
    /** Counts the day's alerts anew, for a page that has just been opened. */
    recountAlerts(): void;
    /** Replaces the rows of the grid by `count` new ones. */
    setRows(count: number, makeRow: MakeRow): Promise<void>;
    showView(): void;
    drawMap(): void;
    showMapTip(event: MouseEvent | FocusEvent, row: Row, tile: HTMLElement): void;
    hideMapTip(): void;
    /** Makes the rows of `metrics` by the viewer's choice. */
    rowMaker(metrics: Metric[]): MakeRow;
    rerank(): Promise<void>;
    openMetric(id: string): void;
    /** The points of a row's line as [place from 0 to 1, price or null]; null before it is known. */
    sparkline(row: Row): [place: number, price: number | null][] | null;
    fetchSparklines(): Promise<void>;
    /** To be called with each tick; `isHistoryChanged` says that more than this tick may have been added. */
    followTick(minute: string | null | undefined, isHistoryChanged: boolean): Promise<void>;
    gridApi(): Promise<Grid>;
    restoreView(): void;
    isDefaultView(): boolean;
    setUpGrid(): Promise<void>;
    /** Records what grid or control shows already; returns the names of what changed. */
    recordView(change: Partial<RankingView>): string[];
    /** Changes the view and shows it. */
    changeView(change: Partial<RankingView>): void;
    view(): RankingView;
  }

  // ---- d3
  interface D3 {
    hierarchy: typeof hierarchy;
    treemap: typeof treemap;
  }
  /** A tile of the map, with its corners in pixels. */
  type Tile = HierarchyRectangularNode<Row>;
  /** The root of the map's hierarchy, which is no metric but has all of them. */
  type TileRoot = Row & { children: Row[] };
}
