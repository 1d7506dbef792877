"""User-Agent fields of devices that play video."""

import pytest

from edge.devices import CLASSES, device_of

AGENTS = """
phone | Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605 Mobile/15E148
phone | Mozilla/5.0 (Linux; Android 15; Pixel 9) Chrome/131.0 Mobile Safari/537.36
phone | AppleCoreMedia/1.0.0.22B83 (iPhone; U; CPU OS 18_1 like Mac OS X; en_us)
tablet | Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1 Mobile/15E148 Safari/604.1
tablet | Mozilla/5.0 (Linux; Android 14; SM-X710) AppleWebKit/537.36 Chrome/131.0 Safari/537.36
tv | Mozilla/5.0 (SMART-TV; Linux; Tizen 8.0) AppleWebKit/537.36 TV Safari/537.36
tv | Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 Chrome/120.0 Safari/537.36
tv | Mozilla/5.0 (Linux; Android 11; AFTKA Build/RS8101) AppleWebKit/537.36 Mobile Safari/537.36
tv | Roku/DVP-14.0 (14.0.0.4400-AE)
tv | AppleCoreMedia/1.0.0.22J357 (Apple TV; U; CPU OS 18_0 like Mac OS X; en_us)
desktop | Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/131.0 Safari/537.36
desktop | Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Safari/605
desktop | Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0
other | curl/8.11.0
other | Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)
other | VLC/3.0.21 LibVLC/3.0.21
other |
"""


@pytest.mark.parametrize("line", AGENTS.strip().splitlines())
def test_device(line):
    device, _, agent = line.partition("|")
    assert device.strip() in CLASSES
    assert device_of(agent.strip().encode()) == device.strip()
