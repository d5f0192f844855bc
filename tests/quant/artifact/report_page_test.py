"""Headless Chromium renders the report pages: no sideways overflow from phone to desk widths with
everything unfolded, no message on the console, and other colours where the reader's system is dark.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
WIDTHS = (400, 700, 1280)
# A page in an iframe is as wide as the iframe, whatever least width the browser's window has.
MEASURE = """<!DOCTYPE html><body style="margin:0">{frames}<script>
window.onload = () => {{
  document.title = "measured " + Array.from(document.querySelectorAll("iframe"), frame => {{
    const page = frame.contentDocument;
    const wide = Array.from(page.querySelectorAll("svg, .card, li, table.rows"))
      .filter(part => !part.closest(".scroll"))
      .filter(part => part.getBoundingClientRect().right > page.documentElement.clientWidth + 1);
    return [page.documentElement.scrollWidth, page.documentElement.clientWidth, wide.length,
            frame.contentWindow.getComputedStyle(page.body).backgroundColor.replaceAll(" ", "")]
      .join(" ");
  }}).join(";");
}};</script></body>"""
FRAME = '<iframe srcdoc="{page}" style="width:{width}px;height:900px;border:0"></iframe>'


def measure(browser: str, folder: pathlib.Path, html: str, dark: bool) -> list[list[str]]:
    """Of every width: content's width, window's width, parts that stick out, background."""
    page = html.replace("<details", "<details open").replace("&", "&amp;").replace('"', "&quot;")
    frames = "".join(FRAME.format(page=page, width=width) for width in WIDTHS)
    (folder / "measure.html").write_text(MEASURE.format(frames=frames))
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile",
         f"--blink-settings=preferredColorScheme={0 if dark else 1}", "--enable-logging=stderr",
         "--virtual-time-budget=5000", "--window-size=1600,1000", "--dump-dom",
         f"file://{folder}/measure.html"],
        check=True, capture_output=True, text=True, timeout=100)
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert not console, f"messages on the console: {console}"
    found = re.search(r"<title>measured ([^<]*)</title>", done.stdout)
    assert found, f"the page was not laid out: {done.stdout[:300]}"
    return [frame.split() for frame in found[1].split(";")]


def check(browser: str, folder: pathlib.Path, path: pathlib.Path) -> None:
    html = path.read_text()
    backgrounds = {}
    for dark in (False, True):
        for width, (content, window, outside, background) in zip(
                WIDTHS, measure(browser, folder, html, dark), strict=True):
            print(f"{path.parent.name} {width} px: content {content} px in {window} px, {background}")
            assert int(window) in (width, width - 15), "the scroll bar is 15 px wide"
            assert int(content) <= int(window), "the page overflows sideways"
            assert int(outside) == 0, f"{outside} parts of the page stick out"
            backgrounds[dark] = background
    assert backgrounds[False] != backgrounds[True], "the page has no dark colours"


def main() -> int:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        print("skipped: there is no chromium here")
        return SKIPPED
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run([sys.argv[1], name], check=True)
        check(browser, folder, folder / "report.html")
        check(browser, folder, folder / "comparison" / "report.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
