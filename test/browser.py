# Copyright 2026 the trimodal_ros authors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""Pages as headless Chromium, or anyone who looks at them, sees them."""

import base64
from html import escape, unescape
import json
from pathlib import Path
import re
import shutil
import subprocess

import cv2
import numpy as np
import pytest

BROWSERS = ('chromium', 'chromium-browser', 'google-chrome')
QUIET = ('--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
         '--disable-background-networking', '--disable-component-update', '--disable-sync',
         '--hide-scrollbars', '--enable-logging=stderr')


# A page in a frame, as a window can't be as narrow as a phone; what is hidden is opened.
FRAME = """<!doctype html><body style="margin: 0"><script>
function look(frame) {
  const inside = frame.contentDocument, root = inside.documentElement;
  inside.querySelectorAll('details').forEach(each => each.open = true);
  document.querySelector('pre').textContent = JSON.stringify({
    width: root.clientWidth, needed: root.scrollWidth, height: root.scrollHeight,
    scripts: inside.querySelectorAll('script, [onerror], [src^="http"]').length,
    fetched: frame.contentWindow.performance.getEntriesByType('resource').map(each => each.name),
    broken: [...inside.images].filter(each => !each.naturalWidth).map(each => each.alt)});
}
</script><iframe style="border: 0" width="%d" height="%d" onload="look(this)" srcdoc="%s"></iframe>
<pre></pre>"""


def embedded_pictures(markup):
    encoded = re.findall(r'data:image/png;base64,([^"]+)"', markup)
    return [cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_COLOR)
            for text in encoded]


def luminance(color):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
              for c in (int(color[i:i + 2], 16) / 255 for i in (1, 3, 5))]
    return np.dot((0.2126, 0.7152, 0.0722), linear)


def find_browser() -> str:
    for found in filter(None, map(shutil.which, BROWSERS)):
        if subprocess.run([found, '--version'], capture_output=True, check=False).returncode == 0:
            return found  # not a stub that asks for a snap
    pytest.skip(f'none of {", ".join(BROWSERS)} is installed')


def browse(page: Path, folder: Path, *options: str) -> str:
    """Open a page in a fresh profile; return what was dumped. Fails on a console message."""
    profile = f'--user-data-dir={folder / "profile"}'
    ended = subprocess.run([find_browser(), *QUIET, profile, *options, page.as_uri()],
                           capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    assert 'CONSOLE' not in ended.stderr, ended.stderr
    return ended.stdout


def frame(page: Path, folder: Path, width: int, height: int = 800) -> Path:
    """Write a page that shows another in a frame of so many pixels; return its path."""
    outer = folder / f'frame_{width}.html'
    outer.write_text(FRAME % (width, height, escape(page.read_text())))
    return outer


def look(page: Path, folder: Path, width: int) -> dict:
    """Return what a page of so many pixels needs: its width, fetches and runs, broken images."""
    dom = browse(frame(page, folder, width), folder, '--dump-dom')
    return json.loads(unescape(dom.rpartition('<pre>')[2].partition('</pre>')[0]))
