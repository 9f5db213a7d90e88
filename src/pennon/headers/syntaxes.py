"""What the syntax of built-in fields is made of: regular expressions over text, one per rule of RFC 9110.

Repetitions are possessive where they could share characters, as in `grammar`.
"""

from typing import Final

from pennon.headers.grammar import TOKEN

TEXT: Final = r"[ -~\t]++"
NUMBER: Final = r"[0-9]{1,15}"
# RFC 9110 §5.6.4, §5.6.6.
_QUOTED: Final = r'"(?:[^"\\]|\\.)*+"'
PARAMETERS: Final = rf"(?:[ \t]*+;[ \t]*+(?:{TOKEN}=(?:{TOKEN}|{_QUOTED}))?)*+"
# RFC 9110 §5.6.7, the one form that may be written.
HTTP_DATE: Final = (
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [0-9]{4}"
    r" [0-9]{2}:[0-9]{2}:[0-9]{2} GMT"
)
# RFC 9110 §8.8.3.
TAG: Final = r'(?:W/)?"[!#-~]*+"'
