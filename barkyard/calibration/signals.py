"""Excitation signals between -1 and 1, one a joint, that begin and end at zero."""

import numpy as np
from numpy.typing import NDArray

from barkyard.errors import InvalidInput

Array = NDArray[np.float64]

FADE = 1.0
"""Signals fade in and out over this time [s]: a choice."""
_CLIPPINGS = 200


def chirp(times: Array, joints: int, band: tuple[float, float], generator: np.random.Generator) -> Array:
    """`(T, joints)` sweeps whose frequency rises exponentially over `band` [Hz].

    The joints sweep over the same band from phases that are a random order of equal steps around the circle. Amplitude
    falls as one over the frequency, so the speed stays even.
    """
    low, high = band
    duration = times[-1] - times[0]
    rate = np.log(high / low) / duration
    elapsed = times - times[0]
    phase = 2.0 * np.pi * low * (np.exp(rate * elapsed) - 1.0) / rate
    offsets = 2.0 * np.pi * generator.permutation(joints) / joints
    sweep = np.sin(phase[:, None] + offsets) * np.exp(-rate * elapsed)[:, None]
    return _faded(times, sweep)


def multisine(times: Array, joints: int, band: tuple[float, float], generator: np.random.Generator) -> Array:
    """`(T, joints)` sums of sines in `band` [Hz], each joint with frequencies of its own, with a low crest factor.

    The k-th multiple of one over the duration belongs to joint k modulo `joints`, so that the joints' answers can be
    told apart. Amplitudes fall as one over the frequency. Phases begin random and are improved by clipping the signal
    and putting the wanted amplitudes back, again and again (Van der Ouderaa, Schoukens, Renneboog, 1988).
    """
    count = len(times)
    step = (times[-1] - times[0]) / (count - 1)
    frequencies = np.fft.rfftfreq(count, step)
    order = generator.permutation(joints)
    columns = []
    for joint in range(joints):
        mine = (np.arange(len(frequencies)) % joints == order[joint]) & (frequencies >= band[0])
        mine &= frequencies <= band[1]
        if not mine.any():
            raise InvalidInput(f"no frequency is left for joint {joint} in {band} Hz; make the signal longer")
        amplitude = np.where(mine, 1.0 / np.maximum(frequencies, step), 0.0)
        columns.append(_low_crest(amplitude, count, generator))
    return _faded(times, np.stack(columns, axis=1))


def _low_crest(amplitude: Array, count: int, generator: np.random.Generator) -> Array:
    best, lowest = np.zeros(count), np.inf
    spectrum = amplitude * np.exp(2j * np.pi * generator.random(len(amplitude)))
    for _ in range(_CLIPPINGS):
        signal = np.fft.irfft(spectrum, count)
        factor = crest_factor(signal)
        if factor < lowest:
            best, lowest = signal, factor
        bound = 0.85 * np.abs(signal).max()
        spectrum = amplitude * np.exp(1j * np.angle(np.fft.rfft(np.clip(signal, -bound, bound))))
    return best


def crest_factor(signal: Array) -> float:
    """Largest absolute value over root mean square."""
    return float(np.abs(signal).max() / np.sqrt(np.mean(signal**2)))


def prbs(times: Array, joints: int, hold: float, travel: float, generator: np.random.Generator) -> Array:
    """`(T, joints)` binary sequences of +-1 that may change every `hold` [s], each joint from a place of its own.

    The sequence is that of the shift register of x^10 + x^7 + 1, which repeats after 1023 values. A change takes
    `travel` [s] along the minimum-jerk polynomial, so speed and acceleration stay bounded.
    """
    bits = _register()
    elapsed = times - times[0]
    places = generator.choice(len(bits), size=joints, replace=False)
    number = np.floor(elapsed / hold).astype(int)
    part = np.clip((elapsed - number * hold) / travel, 0.0, 1.0)
    smooth = (part**3 * (10.0 - 15.0 * part + 6.0 * part**2))[:, None]
    now = bits[(places + number[:, None]) % len(bits)]
    before = np.where(number[:, None] > 0, bits[(places + number[:, None] - 1) % len(bits)], 0.0)
    return _faded(times, before + (now - before) * smooth)


def _register() -> Array:
    state, out = 1, []
    for _ in range(1023):
        out.append(2.0 * (state & 1) - 1.0)
        state = (state >> 1) | (((state ^ (state >> 3)) & 1) << 9)
    return np.array(out)


def _faded(times: Array, signal: Array) -> Array:
    """`signal` from and to zero with zero speed, scaled to a largest absolute value of 1 in every column."""
    duration = times[-1] - times[0]
    if duration < 2.0 * FADE:
        raise InvalidInput(f"the duration is {duration:.3g} s; it must be at least {2.0 * FADE:g} s")
    edge = np.clip(np.minimum(times - times[0], times[-1] - times) / FADE, 0.0, 1.0)
    signal = signal * (0.5 - 0.5 * np.cos(np.pi * edge))[:, None]
    largest = np.abs(signal).max(axis=0)
    scaled: Array = signal / largest
    return scaled
