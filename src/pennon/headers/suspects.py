"""Names that tell of what a header should not be, for `lint`: it asks, people judge.

Each matches a whole name, lower-case, with dashes for underscores.
"""

import re
from typing import Final

DOMAIN: Final = re.compile(
    r"(?:.*[-.])?(?:state|status|payload|json|xml|body|data|document|entity|object|record|details)"
)
PARAMETER: Final = re.compile(
    r"(?:.*-)?(?:args?|arguments?|params?|parameters?|action|command|method|method-override|operation|query|options|body)"
    r"|(?:.*-)?(?:filters?|sort|sort-by|order-by|page|page-size|offset|expand|include|exclude|dry-?run|force)"
    r"|x-(?:do|set|with|skip|force|include|exclude)-.+"
)
ANY_ID: Final = re.compile(r"(?:x-)?(?:(?:global|unique|flow|call|transaction|txn)-)?(?:id|uid|uuid|guid)")
VENDOR_TRACE: Final = re.compile(
    r"x-amzn-trace-id|x-cloud-trace-context|x-datadog-.*|x-ot-span-context|uber-trace-id|(?:x-)?newrelic(?:-.*)?|sentry-trace"
    r"|elastic-apm-traceparent|x-dynatrace|x-honeycomb-trace|x-instana-[tsl]|sw8(?:-.*)?"
)
WHO: Final = re.compile(
    r"(?:.*[-._])?(?:tenant|actor|user|username|login|account|customer|member|merchant|employee|principal|subject"
    r"|org|organi[sz]ation|workspace|on[-._]behalf[-._]of)(?:[-._]?(?:id|name))?"
    r"|(?:.*[-._])?(?:is[-._]?)?(?:admin|superuser|roles?|permissions?|scopes?|groups?|entitlements?)"
)
PERSON: Final = re.compile(
    r"(?:.*[-._])?(?:e-?mail|phone|msisdn|(?:first|last|full|display|nick|user|customer|contact)-?name"
    r"|birth-?(?:day|date)|date-of-birth|dob|address|geo-?location|latitude|longitude|ssn|iban|passport)"
)
STORED: Final = re.compile(
    r"(?:.*[-._])?(?:cache|cached|state|session|payload|json|data|cart|basket|profile|list|ids|history)"
)
NOBODY: Final = re.compile(r"\W*(?:todo|tbd|fixme|unknown|unowned|none|nobody|somebody|n/?a|me|us|everyone|all|x+)?\W*")
# Zones of hosting services, in which names are given to whoever asks for one.
SHARED_ZONE: Final = re.compile(
    r"\*\.(?:.*\.)?(?:amazonaws\.com|cloudfront\.net|azurewebsites\.net|windows\.net|cloudapp\.azure\.com|run\.app|appspot\.com"
    r"|cloudfunctions\.net|herokuapp\.com|vercel\.app|netlify\.app|github\.io|fly\.dev|onrender\.com|workers\.dev|ngrok\.io)"
    r"|\*\.(?:co|com|org|net|gov|ac)\.[a-z]{2}"
)
