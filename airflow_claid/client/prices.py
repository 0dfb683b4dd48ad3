"""What Claid charges, in credits.

Claid publishes the prices of generation, AI edits, fashion models, videos, and the prompt that it writes for a scene.
The current documentation names no price for an edit or a scene; an older help text says 1 credit for an edited image,
so we count 1 credit for both. We count a blocked image as charged, because nothing says that it is not.
"""

from __future__ import annotations

GENERATED_IMAGE = 1.0
EDITED_IMAGE = 1.0
AI_EDITED_IMAGE = 2.0
FASHION_IMAGE = 2.0
SCENE_IMAGE = 1.0
WRITTEN_SCENE_PROMPT = 0.5
VIDEO = {5: 35.0, 10: 70.0}
"""By the length of the video in seconds."""
