"""Texts that an attacker might send."""

BIDI = "USD\u202etxt.exe"

NAMES = (
    "<script>window.broken=1</script>",
    "<img src=x onerror=window.broken=1>",
    '"><svg onload=window.broken=1>',
    "'); DROP TABLE metric; --",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1+1",
    "@SUM(1)",
    "\t=1",
    "{{7*7}}${7*7}%s%n",
    "../../etc/passwd",
    "javascript:window.broken=1",
    "x\x00y",
    "x\x1b[2Jy",
    "x\r\nSet-Cookie: a=b",
    BIDI,
    "zero\u200bwidth",
    "\u0430\u0440\u0440le",  # Cyrillic, to be taken for Latin
    "A" * 10_000,
    "",
    " ",
)
