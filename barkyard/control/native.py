"""MuJoCo's control callback as compiled code that notices only our own models.

`mjcb_control` is one function pointer for the whole process. `installed()` sets it for the length of a `with` block
and puts back what was there. While it is set, it acts on a simulation only if the simulation's model carries our
controller's configuration; for any other model, stepped meanwhile by another thread, it calls the callback that was
installed before. So no other simulation in the process notices.

The compiled function reads `mjModel` and `mjData` through byte offsets that are found at run time by looking for the
addresses of the arrays inside the structures, so they hold for any version of MuJoCo.
"""

import contextlib
import ctypes
import functools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from llvmlite import ir
from numba import carray, cfunc, types
from numba.core import cgutils
from numba.extending import intrinsic

from barkyard.control.kernels import CONFIG, JOINT_TARGET, MAGIC, MEMORY, control
from barkyard.control.target_kernel import hold_targets

_CHUNK_WORDS = 32
_MAX_STRUCT_WORDS = 1 << 16
_UNBOUNDED = 1 << 20
_MODEL_FIELDS = ("numeric_data", "actuator_ctrlrange", "M_rownnz", "M_rowadr", "M_colind")
_DATA_FIELDS = (
    *("qpos", "qvel", "ctrl", "userdata", "sensordata"),
    *("xanchor", "xaxis", "site_xpos", "site_xmat", "qfrc_bias", "M"),
)

_lock = threading.Lock()
_users = 0
_previous = np.zeros(1, dtype=np.uintp)


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Have our control callback in place inside the block; may be nested and used by several threads."""
    global _users
    slot = _callback_slot()
    ours = _callback_address()
    with _lock:
        if _users == 0:
            _previous[0] = slot.value or 0
            slot.value = ours
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                slot.value = int(_previous[0]) or None
                _previous[0] = 0


@functools.cache
def _callback_slot() -> ctypes.c_void_p:
    """The global variable `mjcb_control` of the loaded MuJoCo library."""
    libraries = sorted(Path(mujoco.__file__).parent.glob("libmujoco*.so*")) + sorted(
        Path(mujoco.__file__).parent.glob("libmujoco*.dylib")
    )
    if not libraries:
        raise RuntimeError(f"no libmujoco beside {mujoco.__file__}: reinstall the mujoco package")
    return ctypes.c_void_p.in_dll(ctypes.CDLL(str(libraries[0])), "mjcb_control")


@functools.cache
def _callback_address() -> int:
    return int(_compile_callback().address)


def _first_word(struct: Any, value: int) -> int:
    """Index of the first 8-byte word of `struct` that equals `value`; nothing past it is read."""
    for start in range(0, _MAX_STRUCT_WORDS, _CHUNK_WORDS):
        words = (ctypes.c_size_t * _CHUNK_WORDS).from_address(struct._address + 8 * start)
        hits = np.flatnonzero(np.ctypeslib.as_array(words) == value)
        if hits.size:
            return start + int(hits[0])
    raise RuntimeError(f"mujoco {mujoco.__version__}: {value} not found in {type(struct).__name__}")


def _probe(extra: str, nuserdata: int) -> tuple[mujoco.MjModel, mujoco.MjData]:
    model = mujoco.MjModel.from_xml_string(
        f"<mujoco><size nuserdata='{nuserdata}'/><custom><numeric name='n' data='1 2'/></custom><worldbody><body>"
        f"{extra}<joint name='j'/><geom size='.1'/><site name='s'/></body></worldbody>"
        "<actuator><motor joint='j' ctrlrange='-1 1'/></actuator><sensor><jointpos joint='j'/></sensor></mujoco>"
    )
    return model, mujoco.MjData(model)


@functools.cache
def _offsets() -> dict[str, int]:
    """Word offsets of the fields we read, found in one model and confirmed in another."""
    model, data = _probe("", 48611)
    found = {name: _first_word(model, getattr(model, name).ctypes.data) for name in _MODEL_FIELDS}
    found |= {name: _first_word(data, getattr(data, name).ctypes.data) for name in _DATA_FIELDS}
    found["nuserdata"] = _first_word(model, model.nuserdata)
    model, data = _probe("<joint axis='1 0 0'/><site/>", 1237)
    expected = {name: getattr(model, name).ctypes.data for name in _MODEL_FIELDS} | {"nuserdata": model.nuserdata}
    for name, word in found.items():
        struct, value = (model, expected[name]) if name in expected else (data, getattr(data, name).ctypes.data)
        if ctypes.c_size_t.from_address(struct._address + 8 * word).value != value:
            raise RuntimeError(f"mujoco {mujoco.__version__}: {name} is not where it was found in another model")
    return found


def _pointer_to(element: Any) -> Any:
    """A compiled function that reads an integer address as a pointer to `element`."""
    pointer = types.CPointer(element)

    @intrinsic
    def cast(typingctx: Any, address: Any) -> Any:
        del typingctx

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        return pointer(address), generate

    return cast


_as_doubles = _pointer_to(types.float64)
_as_ints = _pointer_to(types.int32)
_as_words = _pointer_to(types.uintp)


@intrinsic
def _call(typingctx: Any, function: Any, model: Any, data: Any) -> Any:
    """Call the C function at address `function` with (model, data)."""
    del typingctx

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, cgutils.voidptr_t])
        target = builder.inttoptr(arguments[0], kind.as_pointer())
        builder.call(target, [builder.bitcast(a, cgutils.voidptr_t) for a in arguments[1:]])
        return context.get_dummy_value()

    return types.none(function, model, data), generate


def _compile_callback() -> Any:
    """The `mjfGeneric` that dispatches to the compiled controllers. Takes about a second, once a process."""
    offsets = _offsets()
    m_numeric, m_limits = offsets["numeric_data"], offsets["actuator_ctrlrange"]
    m_nnz, m_adr, m_col, m_nuserdata = (offsets[k] for k in ("M_rownnz", "M_rowadr", "M_colind", "nuserdata"))
    d_qpos, d_qvel, d_ctrl, d_memory = (offsets[k] for k in ("qpos", "qvel", "ctrl", "userdata"))
    d_anchor, d_axis, d_spos, d_smat = (offsets[k] for k in ("xanchor", "xaxis", "site_xpos", "site_xmat"))
    d_bias, d_mass, d_sensors = offsets["qfrc_bias"], offsets["M"], offsets["sensordata"]
    memory_size, config_size, magic, unbounded = MEMORY.SIZE, CONFIG.SIZE, MAGIC, _UNBOUNDED
    kind, joint_target = CONFIG.KIND, JOINT_TARGET
    previous_address = _previous.ctypes.data
    words = types.CPointer(types.uintp)

    @cfunc(types.void(words, words), error_model="numpy")
    def callback(model: Any, data: Any) -> None:
        config = carray(_as_doubles(model[m_numeric]), config_size)
        if np.int64(model[m_nuserdata]) < memory_size or config[0] != magic:
            previous = carray(_as_words(previous_address), 1)[0]
            if previous != 0:
                _call(previous, model, data)  # type: ignore[call-arg]
        elif config[kind] == joint_target:
            hold_targets(
                config,
                carray(_as_doubles(data[d_memory]), unbounded),
                carray(_as_doubles(data[d_sensors]), unbounded),
                carray(_as_doubles(data[d_ctrl]), unbounded),
            )
        else:
            control(
                config,
                carray(_as_doubles(data[d_memory]), memory_size),
                carray(_as_doubles(data[d_qpos]), unbounded),
                carray(_as_doubles(data[d_qvel]), unbounded),
                carray(_as_doubles(data[d_anchor]), unbounded),
                carray(_as_doubles(data[d_axis]), unbounded),
                carray(_as_doubles(data[d_spos]), unbounded),
                carray(_as_doubles(data[d_smat]), unbounded),
                carray(_as_doubles(data[d_bias]), unbounded),
                carray(_as_doubles(data[d_mass]), unbounded),
                carray(_as_ints(model[m_nnz]), unbounded),
                carray(_as_ints(model[m_adr]), unbounded),
                carray(_as_ints(model[m_col]), unbounded),
                carray(_as_doubles(model[m_limits]), unbounded),
                carray(_as_doubles(data[d_ctrl]), unbounded),
            )

    return callback
