"""The ray-caster: the right surface in each pixel, the same bytes everywhere, and no library needed."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import mujoco
import numpy as np
import pytest

from opengato.envs.rendering import backend
from opengato.envs.rendering.raycast import FreeCamera, RayCaster
from opengato.errors import OpengatoError

SCENE = """
<mujoco>
  <asset>
    <texture name="grid" type="2d" builtin="checker" rgb1=".1 .2 .3" rgb2=".5 .6 .7" width="64" height="64"/>
    <material name="grid" texture="grid" texrepeat="2 2" texuniform="true"/>
    <mesh name="wedge" vertex="0 0 0  .3 0 0  0 .3 0  0 0 .3"/>
  </asset>
  <worldbody>
    <geom name="floor" type="plane" size="0 0 1" material="grid"/>
    <camera name="eye" pos="0 -2 1" xyaxes="1 0 0 0 .45 .9"/>
    <body pos="0 0 .3">
      <freejoint/>
      <geom name="ball" size=".2" rgba="1 0 0 1"/>
      <geom name="shown_only" type="box" size=".1 .1 .1" pos=".6 0 0" rgba="0 0 1 1" contype="0" conaffinity="0"/>
      <geom name="wedge" type="mesh" mesh="wedge" pos="-.6 0 .2" rgba="0 1 0 1"/>
    </body>
    <geom name="glass" type="box" size=".3 .02 .3" pos="0 -.6 .4" rgba="1 1 0 .3"/>
  </worldbody>
</mujoco>
"""


def scene() -> tuple[mujoco.MjModel, mujoco.MjData]:
    model = mujoco.MjModel.from_xml_string(SCENE)
    data = mujoco.MjData(model)
    data.qpos[3:7] = 0.9, 0.1, 0.3, 0.2
    mujoco.mj_forward(model, data)
    return model, data


def digest() -> str:
    model, data = scene()
    return hashlib.sha256(RayCaster(model, 48, 64, "eye", shadows=True).render(data).tobytes()).hexdigest()


def test_every_pixel_shows_the_nearest_geom() -> None:
    model, data = scene()
    caster = RayCaster(model, 24, 32, "eye")
    seen, hit = caster.segment(data).ravel(), np.zeros(1, np.int32)
    position, rotation = data.cam_xpos[0].copy(), data.cam_xmat[0].reshape(3, 3)
    for pixel, found in enumerate(seen):
        row, column = divmod(pixel, 32)
        step = 2 * np.tan(np.deg2rad(model.cam_fovy[0]) / 2) / 24
        ray = rotation @ [(column - 15.5) * step, (11.5 - row) * step, -1.0]
        mujoco.mj_ray(model, data, position, ray, None, True, -1, hit)
        assert hit[0] == found
    assert {model.geom(name).id for name in ("floor", "shown_only", "wedge", "glass")} <= set(seen)


def test_colours_textures_glass_and_shadows() -> None:
    model, data = scene()
    caster = RayCaster(model, 96, 128, "eye")
    picture, seen = caster.render(data), caster.segment(data)
    assert picture.dtype == np.uint8
    assert picture.shape == (96, 128, 3)
    blue = picture[seen == model.geom("shown_only").id].astype(int)
    assert (blue[:, 2] > 80).all()
    assert (blue[:, :2] == 0).all()
    assert len(np.unique(picture[seen == model.geom("floor").id], axis=0)) > 4, "the floor's checker does not show"
    middle = picture[seen == model.geom("glass").id]
    assert (middle[:, 0] > middle[:, 2]).any(), "nothing red is seen through the glass"
    assert len(np.unique(middle, axis=0)) > 4, "the glass hides what is behind it"
    plain = RayCaster(model, 96, 128, "eye", shadows=True).render(data)
    assert plain.sum() < picture.sum(), "shadows darken nothing"
    assert (model.geom_group == 0).all(), "drawing changed the model"
    assert (model.body_bvhadr >= 0).any()


def test_glass_mixes_with_what_is_behind_it_and_costs_rays_only_where_it_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, data = scene()
    glass, cast, rays = model.geom("glass").id, mujoco.mj_multiRay, []
    monkeypatch.setattr(mujoco, "mj_multiRay", lambda *args: (rays.append(args[-2]), cast(*args)))
    caster = RayCaster(model, 24, 32, "eye")
    picture = caster.render(data)
    pane = caster.segment(data) == glass
    assert rays == [24 * 32, pane.sum(), 24 * 32]
    rays.clear()
    model.geom_group[glass] = 4
    behind = caster.render(data)
    assert rays == [24 * 32]
    assert np.array_equal(picture[~pane], behind[~pane])
    alpha, model.geom_group[glass], model.geom_rgba[glass, 3] = float(model.geom_rgba[glass, 3]), 0, 1.0
    mixed = np.round(caster.render(data) * alpha + behind * (1 - alpha))
    assert np.array_equal(picture[pane], mixed[pane])


def test_pictures_share_no_memory_and_follow_changes() -> None:
    model, data = scene()
    caster = RayCaster(model, 16, 16, FreeCamera((0, 0, 0.3), 2.0))
    first = caster.render(data)
    kept = first.copy()
    model.geom_rgba[model.geom("ball").id] = 0, 0, 0, 1
    data.qpos[0] += 0.1
    mujoco.mj_forward(model, data)
    second = caster.render(data)
    assert np.array_equal(first, kept)
    assert not np.array_equal(first, second)
    assert np.array_equal(RayCaster(model, 16, 16, -1).render(data), RayCaster(model, 16, 16, -1).render(data))


def test_same_bytes_in_another_process() -> None:
    code = f"import runpy; print(runpy.run_path({__file__!r})['digest']())"
    environment = {**os.environ, "MUJOCO_GL": "disabled", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest()


def test_unknown_camera_is_refused() -> None:
    model, _ = scene()
    with pytest.raises(OpengatoError, match="eye"):
        RayCaster(model, 8, 8, "nowhere")
    with pytest.raises(OpengatoError):
        RayCaster(model, 8, 8, 7)


def test_backend_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    backend.video_backend.cache_clear()
    monkeypatch.delenv(backend.VARIABLE, raising=False)
    assert backend.video_backend() == "raycast"
    backend.video_backend.cache_clear()
    monkeypatch.setenv(backend.VARIABLE, "opengl9")
    with pytest.raises(OpengatoError, match="opengl9"):
        backend.video_backend()
    backend.video_backend.cache_clear()
    monkeypatch.setattr(backend, "probe", lambda: {"egl": "no library", "osmesa": "ok", "raycast": "ok"})
    monkeypatch.setenv(backend.VARIABLE, "auto")
    assert backend.video_backend() == "osmesa"
    backend.video_backend.cache_clear()
    monkeypatch.setenv(backend.VARIABLE, "egl")
    with pytest.raises(OpengatoError, match="no library"):
        backend.video_backend()
    backend.video_backend.cache_clear()


def test_frame_needs_no_graphics_library() -> None:
    model, data = scene()
    picture = backend.frame(model, data, 48, 64, "eye")
    assert picture.shape == (48, 64, 3)
    assert picture.std() > 10
