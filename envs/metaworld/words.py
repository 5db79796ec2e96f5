"""What each Meta-World task asks, in a person's words, and when it counts as done.

The thresholds are those of `evaluate_state` in metaworld 3.0.0's task classes.
"""

from __future__ import annotations

# task: instruction, success
WORDS: dict[str, tuple[str, str]] = {
    "assembly": ("pick up the nut and place it on the peg", "the nut is around the peg, below its top"),
    "basketball": ("dunk the basketball into the hoop", "the ball is within 8 cm of the goal in the hoop"),
    "bin-picking": ("move the cube from one bin to the other", "the cube is within 5 cm of the goal in the other bin"),
    "box-close": ("put the lid on the box", "the lid is within 8 cm of its place on the box"),
    "button-press": ("press the button", "the button is within 2 cm of fully pressed"),
    "button-press-topdown": ("press the button from above", "the button is within 2.4 cm of fully pressed"),
    "button-press-topdown-wall": (
        "reach over the wall and press the button from above",
        "the button is within 2.4 cm of fully pressed",
    ),
    "button-press-wall": ("reach around the wall and press the button", "the button is within 3 cm of fully pressed"),
    "coffee-button": ("press the button of the coffee machine", "the button is within 2 cm of fully pressed"),
    "coffee-pull": ("pull the mug away from the coffee machine", "the mug is within 7 cm of the goal"),
    "coffee-push": ("push the mug under the coffee machine", "the mug is within 7 cm of the goal"),
    "dial-turn": ("turn the dial", "the dial's knob is within 7 cm of the goal"),
    "disassemble": ("pull the nut off the peg", "the nut is above the top of the peg"),
    "door-close": ("close the door", "the door's handle is within 8 cm of where it closes"),
    "door-lock": ("lock the door by turning its lock", "the lock is within 2 cm of locked"),
    "door-open": ("open the door by its handle", "the door's handle is within 8 cm of the goal along x"),
    "door-unlock": ("unlock the door by turning its lock", "the lock is within 2 cm of unlocked"),
    "drawer-close": ("push the drawer shut", "the drawer's handle is within 6.5 cm of the goal"),
    "drawer-open": ("pull the drawer open", "the drawer's handle is within 3 cm of the goal"),
    "faucet-close": ("turn the faucet's handle to close it", "the faucet's handle is within 7 cm of the goal"),
    "faucet-open": ("turn the faucet's handle to open it", "the faucet's handle is within 7 cm of the goal"),
    "hammer": ("pick up the hammer and drive in the nail", "the nail has slid in by 9 cm"),
    "hand-insert": ("put the hand into the hole", "the hand is within 5 cm of the goal in the hole"),
    "handle-press": ("press the handle down", "the handle is within 2 cm of the goal"),
    "handle-press-side": ("press the handle down from the side", "the handle is within 2 cm of the goal"),
    "handle-pull": ("pull the handle up", "the handle is within 5 cm of the goal"),
    "handle-pull-side": ("pull the handle up from the side", "the handle is within 8 cm of the goal"),
    "lever-pull": ("pull the lever up", "the lever is within 7.5 degrees of upright"),
    "peg-insert-side": ("insert the peg sideways into the hole", "the peg's head is within 7 cm of the goal"),
    "peg-unplug-side": ("pull the peg sideways out of the hole", "the peg is within 7 cm of the goal"),
    "pick-out-of-hole": ("pick the puck out of the hole", "the puck is within 7 cm of the goal"),
    "pick-place": ("pick up the puck and place it at the goal", "the puck is within 7 cm of the goal"),
    "pick-place-wall": (
        "pick up the puck and bring it over the wall to the goal",
        "the puck is within 7 cm of the goal",
    ),
    "plate-slide": ("slide the plate into the cabinet", "the plate is within 7 cm of the goal"),
    "plate-slide-back": ("slide the plate back out of the cabinet", "the plate is within 7 cm of the goal"),
    "plate-slide-back-side": (
        "slide the plate sideways out of the cabinet",
        "the plate is within 7 cm of the goal",
    ),
    "plate-slide-side": ("slide the plate sideways into the cabinet", "the plate is within 7 cm of the goal"),
    "push": ("push the puck to the goal", "the puck is within 5 cm of the goal"),
    "push-back": ("pull the puck back to the goal", "the puck is within 7 cm of the goal"),
    "push-wall": ("push the puck around the wall to the goal", "the puck is within 7 cm of the goal"),
    "reach": ("move the hand to the goal", "the fingertips are within 5 cm of the goal"),
    "reach-wall": ("move the hand around the wall to the goal", "the fingertips are within 5 cm of the goal"),
    "shelf-place": ("pick up the block and place it on the shelf", "the block is within 7 cm of the goal"),
    "soccer": ("kick the ball into the net", "the ball is within 7 cm of the goal"),
    "stick-pull": (
        "pick up the stick and pull the thermos by its handle with it",
        "the stick is through the handle, which is within 12 cm of the goal",
    ),
    "stick-push": (
        "pick up the stick and push the thermos to the goal with it",
        "the stick is held up and the thermos is within 12 cm of the goal",
    ),
    "sweep": ("sweep the block off the table", "the block is within 5 cm of the goal"),
    "sweep-into": ("sweep the block into the hole", "the block is within 5 cm of the goal"),
    "window-close": ("slide the window shut", "the window's handle is within 5 cm of the goal"),
    "window-open": ("slide the window open", "the window's handle is within 5 cm of the goal"),
}
