"""Text arrives as typed: requests to services, read as each service reads them: plain, as HTML or as Markdown."""

import html
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import responses
from apprise.manager_plugins import NotificationManager
from bs4 import BeautifulSoup
from markdown_it import MarkdownIt

from services.market.alerting.messages import Message
from services.notifiers.apprise_notifier import READ_MARKDOWN, TITLED_IN_MARKDOWN, AppriseNotifier
from tests.builders import NOON
from tests.mailbox import Mailbox, receiving_mail

# Apprise imports a module that later Pythons no longer have.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

TITLE = "R&D <b>*1*</b> _x_ `y` on kraken: resolved"
LINES = (
    "A*B/USD on kraken: up *twice* (price > 5 & < 7)",
    "C_D_E/USD on kraken: <b>bold</b> &amp; <!-- not -->",
    "# F/USD on kraken: `code` ``two`` [link](http://example.test) ~~no~~",
    "1. G/USD on kraken: a \\* b | c",
    "- H/USD on kraken: <https://example.test> **_both_**",
    "and 480 more",
    "[5e0c6f4b1a2d-17-1772366400]",
)
MESSAGE = Message("7", NOON, TITLE, "\n".join(LINES))


def html_lines(text: str) -> list[str]:
    """The visible lines of HTML: breaks and paragraphs end a line, and a line break in the source is a space."""
    page = BeautifulSoup(text.replace("\r\n", " ").replace("\n", " "), "html.parser")
    for tag in page.find_all(["br", "p", "h1", "li"]):
        tag.append("\n")
    return [line for line in (part.strip() for part in page.get_text().replace("\xa0", " ").split("\n")) if line]


def commonmark_lines(text: str) -> list[str]:
    return html_lines(MarkdownIt("commonmark").render(text))


def chat_lines(text: str) -> list[str]:
    """The lines as Discord and Mattermost render Markdown: with strikethrough, and with every line break."""
    return html_lines(MarkdownIt("commonmark", {"breaks": True}).enable("strikethrough").render(text))


def slack_lines(text: str) -> list[str]:
    """The lines of a text that Slack does not format; three characters are escaped nevertheless."""
    return html.unescape(text).splitlines()


def telegram_lines(text: str) -> list[str]:
    """The lines of Telegram's HTML, which has no breaks but shows those of the source."""
    return BeautifulSoup(text, "html.parser").get_text().splitlines()


def telegram_markdown_lines(text: str) -> list[str]:
    """The lines of Telegram's MarkdownV2, with a bold title, a backslash before each special character, and blank
    lines."""
    assert not re.search(r"(?<!\\)[_\[\]()~`>#+=|{}.!-]", text)
    title, *lines = filter(None, text.splitlines())
    return [re.sub(r"\\(.)", r"\1", line) for line in (title[1:-1], *lines)]


def read_json(sent: Any) -> list[str]:
    return [sent["title"], *sent["message"].splitlines()]


def read_json_in_html(sent: Any) -> list[str]:
    return [sent["title"], *html_lines(sent["message"])]


def read_json_in_markdown(sent: Any) -> list[str]:
    return [sent["title"], *commonmark_lines(sent["message"])]


def read_slack(sent: Any) -> list[str]:
    (attachment,) = sent["attachments"]
    assert not sent["mrkdwn"]
    return [html.unescape(attachment["title"]), *slack_lines(attachment["text"])]


def read_adaptive_card(sent: Any) -> list[str]:
    (attachment,) = sent["attachments"]
    blocks = [block["text"] for block in attachment["content"]["body"] if block["type"] == "TextBlock"]
    return commonmark_lines("\n\n".join(blocks))


DISCORD = "discord://123456789012345678/abcdefghijABCDEFGHIJ"
TELEGRAM = "tgram://123456789:abcdefg_hijklmnop/12315544/"
SERVICES: list[tuple[str, Callable[[Any], list[str]]]] = [
    ("json://localhost", read_json),
    ("json://localhost?format=html", read_json_in_html),
    ("json://localhost?format=markdown", read_json_in_markdown),
    ("ntfy://topic", read_json),
    ("gotify://localhost/abcdefghijklmno", read_json),
    (TELEGRAM, lambda sent: telegram_lines(sent["text"])),
    (f"{TELEGRAM}?format=markdown&mdv=2", lambda sent: telegram_markdown_lines(sent["text"])),
    ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/", read_slack),
    (DISCORD, lambda sent: chat_lines(sent["content"])),
    (f"{DISCORD}?format=markdown", lambda sent: chat_lines(sent["embeds"][0]["description"])),
    ("mmost://localhost/3ccdd113474722377935511fc85d3dd4", lambda sent: chat_lines(sent["text"])),
    ("wxteams://" + 80 * "a", lambda sent: commonmark_lines(sent["markdown"])),
    ("workflow://host:443/workflow1a/signature1a", read_adaptive_card),
]


@pytest.mark.parametrize(("url", "read"), SERVICES, ids=[re.sub("//.*[?]|//.*", " ", url) for url, _ in SERVICES])
def test_title_and_lines_arrive_as_typed_line_by_line(url: str, read: Callable[[Any], list[str]]) -> None:
    with responses.RequestsMock() as mock:
        mock.post(re.compile(".*"), body="ok")
        AppriseNotifier(url, "test").send(MESSAGE)
        (call,) = mock.calls

    assert read(json.loads(call.request.body or "")) == [TITLE, *LINES]


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with receiving_mail() as found:
        yield found


def mail_address(mailbox: Mailbox, more: str = "") -> str:
    return f"mailto://127.0.0.1:{mailbox.port}?from=tracker@example.test&to=ops@example.test{more}"


def test_a_mail_of_sixty_alerts_has_one_line_per_alert(mailbox: Mailbox) -> None:
    lines = [f"C{number}/USD on kraken: 4.0 x its average <{number}> & *more*" for number in range(60)]
    AppriseNotifier(mail_address(mailbox), "mail").send(Message("7", NOON, TITLE, "\n".join(lines)))

    (mail,) = mailbox.mails
    assert mail["Subject"] == TITLE
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().splitlines() == lines


def test_an_html_mail_has_the_same_lines_in_both_parts(mailbox: Mailbox) -> None:
    AppriseNotifier(mail_address(mailbox, "&format=html"), "mail").send(MESSAGE)

    (mail,) = mailbox.mails
    assert mail["Subject"] == TITLE
    in_html, plain = mail.get_body(("html",)), mail.get_body(("plain",))
    assert in_html is not None
    assert plain is not None
    assert html_lines(in_html.get_content()) == list(LINES)
    assert plain.get_content().replace("\xa0", " ").splitlines() == list(LINES)


def test_a_mail_url_may_list_several_receivers(mailbox: Mailbox) -> None:
    AppriseNotifier(mail_address(mailbox, ",on-call@example.test&cc=desk@example.test,boss@example.test"), "mail").send(
        MESSAGE
    )

    assert {receiver for receivers in mailbox.receivers for receiver in receivers} == {
        "ops@example.test",
        "on-call@example.test",
        "desk@example.test",
        "boss@example.test",
    }


def test_apprise_has_all_plugins_that_are_listed_as_reading_markdown() -> None:
    names = {plugin.__name__ for plugin in NotificationManager().plugins()}
    assert READ_MARKDOWN < TITLED_IN_MARKDOWN < names
