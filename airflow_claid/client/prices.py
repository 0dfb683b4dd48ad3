"""What Claid charges, in credits.

Published: generation, AI edits, fashion models, videos, and a scene's written prompt. Editing's price is not in the
current documentation: an older help text says 1 credit an image, which is what is reckoned here; a scene's price is
reckoned likewise. An image that the content filter blacked out is reckoned as charged, because nothing says that it
is not.
"""

from __future__ import annotations

GENERATED_IMAGE = 1.0
EDITED_IMAGE = 1.0
AI_EDITED_IMAGE = 2.0
FASHION_IMAGE = 2.0
SCENE_IMAGE = 1.0
WRITTEN_SCENE_PROMPT = 0.5
VIDEO = {5: 35.0, 10: 70.0}
"""By the seconds of the video."""
