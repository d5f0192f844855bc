"""Headless Chromium renders the report page without sideways overflow at phone and desk widths."""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
# A page in an iframe is as wide as the iframe, whatever least width the browser's window has.
MEASURE = """<!DOCTYPE html><body style="margin:0"><iframe id="page" srcdoc="{page}"
style="width:{width}px;height:900px;border:0"></iframe><script>
document.getElementById("page").onload = event => {{
  const root = event.target.contentDocument.documentElement;
  document.title = `widths ${{root.scrollWidth}} ${{root.clientWidth}}`;
}};</script></body>"""


def measured_widths(browser: str, folder: pathlib.Path, html: str, width: int) -> tuple[int, int]:
    page = html.replace("&", "&amp;").replace('"', "&quot;")
    (folder / "measure.html").write_text(MEASURE.format(page=page, width=width))
    dom = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile",
         "--virtual-time-budget=5000", "--window-size=1600,1000", "--dump-dom",
         f"file://{folder}/measure.html"],
        check=True, capture_output=True, text=True, timeout=100).stdout
    found = re.search(r"<title>widths (\d+) (\d+)</title>", dom)
    assert found, f"the page was not laid out: {dom[:300]}"
    return int(found[1]), int(found[2])


def main() -> int:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        print("skipped: there is no chromium here")
        return SKIPPED
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run([sys.argv[1], name], check=True)
        html = (folder / "report.html").read_text()
        for width in (400, 1400):
            content, window = measured_widths(browser, folder, html, width)
            print(f"{width} px: content {content} px in {window} px")
            assert window == width or window == width - 15, "the scroll bar is 15 px wide"
            assert content <= window, "the page overflows sideways"
    return 0


if __name__ == "__main__":
    sys.exit(main())
