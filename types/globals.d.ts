// What the browser's scripts share. They are plain scripts that Dash loads in the order of their names; they meet in
// `window`, and this says what each puts there and what Dash, its table and plotly do.
import type { GridApi, PostSortRowsParams } from "ag-grid-community";
import type { hierarchy, treemap } from "d3-hierarchy";
import type React from "react";

declare global {
  interface Window {
    trackerIds: typeof trackerIds;
    trackerLive: { changesOf(live: Live): string };
    trackerPaths: { at(path: string): string; within(address: string): string };
    trackerNotation: Notation;
    trackerRanking: Ranking;
    trackerChart: Charts;
    trackerTimes: ChartTimes;
    trackerCsv: { save(text: string, kind: string): void };
    trackerMarkup: { contentOf(nodes: unknown[]): MarkupContent };
    data_tracker: Record<string, (properties: any) => unknown>;

    dash_clientside: DashClientside;
    dash_component_api: { getLayout(id: string): { props: Record<string, unknown> } | undefined };
    dash_ag_grid: { getApiAsync(id: string): Promise<Grid> };
    dashAgGridFunctions: Record<string, (...given: any[]) => unknown>;
    dashAgGridComponentFunctions: Record<string, (props: any) => unknown>;
    React: typeof React;
    Plotly: Plotly;
    SwaggerUIBundle(options: Record<string, unknown>): void;
    d3: { hierarchy: typeof hierarchy; treemap: typeof treemap };
    scheduler?: { yield?(): Promise<void> };
  }

  // ---- numbers and moments as text: 1-notation.js
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

  /** What layouts/markup.py sends: rows by their digests, the whole being the last of those `known`. */
  interface MarkupContent {
    known: string[];
    rows: Record<string, any>;
  }

  // ---- charts: chart.js

  /** What a chart says of itself in its layout: what it shows, up to which revision and second, and in whose time. */
  interface ChartMeta {
    view: string;
    revision: number;
    edge: number;
    zone: string;
    /** Where its time axis begins and ends, in milliseconds. */
    shown: [number, number];
  }
  /** Times in UTC, as plotly takes them; null between two rings. */
  type Times = (string | null)[];
  interface Trace {
    x?: Times;
    [column: string]: any;
  }
  /** What is new of a trace: points after `after` (all where it is null) in place of those, and of those before `first`. */
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
    /** What else has changed: where history begins. */
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
    layout: { meta?: ChartMeta; [axis: string]: any };
    tellTimes?: () => Promise<void>;
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
    askFor(id: string, revision: number | null | undefined, figure: Figure | null): Promise<unknown>;
    growPlot(id: string, update: ChartUpdate | null): void;
    plotOf(id: string): Plot | null;
    keepPlaces(): void;
  }

  // ---- their times: times.js
  interface ChartTimes {
    /** The times of points as their labels tell them, by the clock of `zone`. */
    textsOf(x: Times, zone: string): string[];
    /** At most some `most` ticks between two moments, in milliseconds, and what stands at them. */
    ticksOf(begin: number, end: number, zone: string, most: number): { moments: number[]; texts: string[] };
    /** Have the axis show what lies between two moments, in milliseconds, at the next drawing, unless it is zoomed. */
    moveOn(plot: Plot, shown: [number, number], zone: string): void;
    /** Have the chart tell its times now, and after each change. */
    follow(plot: Plot): Promise<void>;
  }

  // ---- the ranking: ranking/

  /** A metric as the JSON interface has it: shares are fractions. */
  interface Metric {
    id: number;
    market: string;
    base: string;
    quote: string;
    active: boolean;
    rank: number | null;
    price: number | null;
    volume_24h: number | null;
    stale: boolean;
    updated_at: string | null;
    coverage: number;
    [field: string]: any;
  }
  /** A row of the table: a metric by the columns' names, shares in per cent. */
  interface Row {
    id: string;
    key: string;
    pair: string;
    market: string;
    base: string;
    quote: string;
    active: boolean;
    rank: number | null;
    moved: number | null;
    turnover: number | null;
    mark: string | false | null;
    /** Where the price went when it changed last: 1 up, -1 down, 0 where it has not. */
    went?: number;
    stale: boolean;
    /** How old the price is, in seconds. */
    old: number | null;
    /** How old a stale price is, as "5 min"; "" for one of the present. */
    age: string;
    /** How much of the window is known, in words, where that is not all of it; else "". */
    partial: string;
    /** Whether the window is full. */
    full: boolean;
    [column: string]: any;
  }
  type Grid = GridApi<Row>;
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
  /** What the viewer made of the ranking; what is not said is "". */
  interface RankingView {
    by: string;
    only: string;
    hide: string;
    age: string;
    window: string;
    view: string;
    size: "volume" | "volatility" | "equal";
    colour: string;
    q: string;
    market: string;
    quote: string;
    sort: Sort;
    columns: string[] | null;
    where: Record<string, ColumnFilter>;
  }
  type RowMaker = (place: number) => Row;
  interface Ranking {
    address: {
      read(search: string): RankingView;
      write(view: RankingView): string;
      USUAL_BY: string;
      USUAL_SORT: Sort;
    };
    isDollar(name: string): boolean;
    isStable(base: string, quote: string): boolean;
    turnovers(metrics: Metric[]): (metric: Metric) => number | null;
    hear(live: Live | null): void;
    secondsOld(moment: string): number;
    trust(metric: Metric): Pick<Row, "stale" | "old" | "age" | "partial" | "full">;
    showStale(chosen: boolean): void;
    isFavourite(row: { key: string }): boolean;
    hasFavourites(): boolean;
    toggleFavourite(row: Row): Promise<void>;
    favouritesFirst(params: PostSortRowsParams<Row>): void;
    setUpFilters(grid: Grid): void;
    offerChoices(metrics?: Metric[]): void;
    countRows(grid: Grid): void;
    fit(grid: Grid): void;
    noteNames(metrics: Metric[]): boolean;
    columnWidths(grid: Grid): Record<string, number>;
    recountAlerts(): void;
    handOver(count: number, row: RowMaker): Promise<void>;
    showParts(): void;
    drawMap(): void;
    rankAnew(): Promise<void>;
    open(id: string): void;
    sparkline(row: Row): [number, number | null][] | null;
    askForLines(): Promise<void>;
    followTick(minute: string | undefined, isChanged: boolean): Promise<void>;
    api(): Promise<Grid>;
    begin(): void;
    isUsual(): boolean;
    settle(): Promise<void>;
    note(partial: Partial<RankingView>): string[];
    change(partial: Partial<RankingView>): void;
    view(): RankingView;
  }

  // ---- Dash
  interface DashClientside {
    no_update: unknown;
    set_props(id: string, props: Record<string, unknown>): void;
    callback_context: { triggered: { prop_id: string; value?: any }[]; inputs_list: { id: string }[] };
    tracker: Record<string, (...given: any[]) => unknown>;
  }

  /** What `/live` answers, and what the poller makes of it. */
  interface Live {
    connection: "ok" | "lost" | "database";
    since?: string;
    [field: string]: any;
  }
}
