"""The dashboard as a user handles it. Every call waits for its condition; none sleeps."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.support.ui import WebDriverWait

from layouts import ids
from layouts.spans import SPANS

Answer = TypeVar("Answer")
TIMEOUT = 60  # seconds; only a failure takes that long, however busy the machine

CHART = f"document.querySelector('#{ids.METRIC_CHART} .js-plotly-plot')"
HOLDS_STILL = """
const [target, done] = arguments, place = () => JSON.stringify(target.getBoundingClientRect()), before = place();
requestAnimationFrame(() => requestAnimationFrame(() => done(target.isConnected && place() === before)));
"""
GRID = f"dash_ag_grid.getApi('{ids.RANKING_TABLE}')"


@dataclass
class Site:
    browser: webdriver.Chrome
    address: str
    expected: tuple[str, ...] = ()
    """Parts of console messages that the test expects."""
    messages: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        self.browser.get(self.address + path)
        self.until(lambda: "Connecting" not in self.text(f"#{ids.CONNECTION_STATUS}", ""))

    def script(self, text: str, *values: Any) -> Any:
        return self.browser.execute_script(text, *values)

    def until(self, condition: Callable[[], Answer], seconds: float = TIMEOUT) -> Answer:
        """Waits for `condition`, and returns its first true value; fails after `seconds`."""
        wait = WebDriverWait(self.browser, seconds, poll_frequency=0.05)
        answer: Answer = wait.until(lambda _browser: condition())
        return answer

    def text(self, selector: str, missing: str | None = None) -> str:
        """The visible text at `selector`."""
        visible = "const e = document.querySelector(arguments[0]); return e && (e.checkVisibility() ? e.innerText : '')"
        found = self.script(visible, selector)
        if found is None:
            assert missing is not None, f"nothing at {selector}"
            return missing
        return str(found)

    def shows(self, selector: str, text: str, seconds: float = TIMEOUT) -> None:
        """Waits until `text` is visible at `selector`."""
        try:
            self.until(lambda: text in self.text(selector, ""), seconds)
        except Exception as error:
            raise AssertionError(f"{selector} shows {self.text(selector, '')!r} and not {text!r}") from error

    def lacks(self, selector: str, text: str) -> None:
        self.until(lambda: text not in self.text(selector, ""))

    def click(self, selector: str) -> None:
        """Clicks the element at `selector` once it holds still. If the page redraws it meanwhile, the new one is
        clicked."""

        def clicked() -> bool:
            target = self.script("return document.querySelector(arguments[0])", selector)
            if target is None:
                return False
            try:
                self.script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", target)
                if not self.browser.execute_async_script(HOLDS_STILL, target):
                    return False
                ActionChains(self.browser).move_to_element(target).click().perform()
            except StaleElementReferenceException:
                return False
            return True

        self.until(clicked)

    def press(self, *keys: str) -> None:
        for key in keys:
            ActionChains(self.browser).send_keys(key).perform()

    def path(self) -> str:
        return str(self.script("return location.pathname"))

    def arrives_at(self, path: str) -> None:
        self.until(lambda: self.path() == path)

    def choose_theme(self, name: str) -> None:
        """Chooses `light` or `dark`, as if on an earlier visit."""
        self.browser.get(f"{self.address}/healthz")
        self.script("localStorage.setItem('theme', arguments[0])", name)

    def expect(self, *texts: str) -> None:
        """Console messages with these texts do not fail the test."""
        self.expected += texts

    def console(self) -> list[str]:
        """The unexpected console messages since the test began."""
        self.messages += [entry["message"] for entry in self.browser.get_log("browser")]
        return [message for message in self.messages if not any(part in message for part in self.expected)]


@dataclass
class Table:
    """The ranking, by ARIA row numbers (the header is 1)."""

    site: Site

    def wait(self) -> "Table":
        """Waits for rows; the grid draws none below the window's lower edge."""

        def has_rows() -> bool:
            self.site.script(f"document.querySelector('#{ids.RANKING_TABLE}')?.scrollIntoView({{block: 'nearest'}})")
            return self.cell(2, "pair") != ""

        self.site.until(has_rows)
        return self

    def cell(self, index: int, column: str) -> str:
        selector = f"#{ids.RANKING_TABLE} [aria-rowindex='{index}'] [col-id='{column}']"
        return self.site.text(selector, "")

    def row(self, index: int, *columns: str) -> list[str]:
        return [self.cell(index, column) for column in columns]

    def click(self, index: int, column: str) -> None:
        self.site.click(f"#{ids.RANKING_TABLE} [aria-rowindex='{index}'] [col-id='{column}']")

    def sort_by(self, column: str) -> None:
        self.site.click(f"#{ids.RANKING_TABLE} .ag-header-cell[col-id='{column}'] .ag-header-cell-label")

    def columns(self) -> list[str]:
        return list(self.site.script(f"return {GRID}.getAllDisplayedColumns().map(c => c.getColId())"))

    def search(self, text: str) -> None:
        self.site.press("/")
        self.site.until(lambda: self.site.script("return document.activeElement.id") == ids.RANKING_SEARCH)
        self.site.press(text)

    def count(self) -> int:
        return int(self.site.script(f"return {GRID}.getDisplayedRowCount()"))

    def scrolled(self) -> float:
        return float(self.site.script(f"return {GRID}.getVerticalPixelRange().top"))


@dataclass
class Chart:
    """The chart of a metric's page."""

    site: Site

    def wait(self) -> "Chart":
        self.site.until(lambda: self.site.script(f"return !!({CHART} && {CHART}._fullLayout && {CHART}.data)"))
        return self

    def last_price(self) -> float:
        return float(self.site.script(f"return {CHART}.data[0].y.at(-1)"))

    def points(self) -> int:
        return int(self.site.script(f"return {CHART}.data[0].y.length"))

    def choose(self, span: str) -> None:
        """Presses the button of a span, such as `30 d`, and waits for its chart."""
        number = [one.label for one in SPANS.values()].index(span) + 1
        before = self.first_time()
        self.site.click(f"#{ids.METRIC_SPAN} .form-check:nth-child({number}) label")
        self.site.until(lambda: self.first_time() != before)

    def first_time(self) -> str:
        return str(self.site.script(f"return {CHART}.data[0].x[0]"))

    def first_clock(self) -> str:
        """The time of the first point, by the viewer's clock."""
        return str(self.site.script(f"return ({CHART}.data[0].text || [])[0]"))

    def legend(self) -> list[str]:
        names = "[...document.querySelectorAll(arguments[0])].map(text => text.textContent)"
        return list(self.site.script(f"return {names}", f"#{ids.METRIC_CHART} .legendtext"))

    def lines(self, trace: int = 1) -> int:
        """The number of unbroken pieces of a trace's line."""
        selector = f".subplot.xy .scatterlayer .trace:nth-child({trace}) .js-line"
        return int(self.site.script(f"return {CHART}.querySelectorAll('{selector}').length"))

    def range(self, axis: str = "xaxis") -> list[Any]:
        return list(self.site.script(f"return {CHART}._fullLayout.{axis}.range"))

    def drag(self) -> None:
        """Zooms into the middle with the mouse."""
        surface = self.site.script(f"return {CHART}.querySelector('.nsewdrag')")
        width = surface.size["width"]
        mouse = ActionChains(self.site.browser).move_to_element(surface).move_by_offset(-int(width / 5), 0)
        mouse.click_and_hold().move_by_offset(int(width / 10), 0).move_by_offset(int(width / 4), 0).release().perform()
