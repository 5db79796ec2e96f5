# Another package's body as a task: opengato collect plugins=[examples/my_robot.py] tasks=[mylab/hill-car]
import gymnasium

from opengato.tasks import register


@register("mylab/hill-car", instruction="drive up the hill", demonstrator=lambda seen, env: (50 * seen[1:]).clip(-1, 1))
def hill_car(**kwargs):
    return gymnasium.make("MountainCarContinuous-v0", render_mode="rgb_array", **kwargs)
