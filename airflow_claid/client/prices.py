"""What Claid charges, in credits.

Generation's price is published; editing's is not in the current documentation: an older help text says
1 credit an image, which is what is reckoned here. An image that the content filter blacked out is reckoned
as charged, because nothing says that it is not.
"""

from __future__ import annotations

GENERATED_IMAGE = 1.0
EDITED_IMAGE = 1.0
