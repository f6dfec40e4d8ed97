"""Settings of the augmentation, and their ranges."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Augmentation:
    """How strongly a photo may be changed. All zero (with `crop` 1, `flip` False) changes nothing.

    Attributes:
        crop: smallest share of the side that a crop keeps, 1.0 = no crop. Its position is random.
        aspect: a crop's width over height is drawn from 1/(1+aspect) to 1+aspect.
        shift: share of the side by which the photo may leave the frame, on top of the crop.
        rotation_deg, shear_deg: drawn from -value to +value.
        flip: mirror left and right half of the time.
        zoom: about the middle, the side of what is seen is multiplied by 1-zoom to 1+zoom; beyond the photo is FILL.
        contrast: the distance of colours from the photo's mean is multiplied by 1-contrast to 1+contrast.
        brightness: colours are multiplied by 1-brightness to 1+brightness.
        saturation: the distance of colours from grey is multiplied by 1-saturation to 1+saturation.
    """

    crop: float = 1.0
    aspect: float = 0.0
    shift: float = 0.0
    rotation_deg: float = 0.0
    shear_deg: float = 0.0
    flip: bool = False
    zoom: float = 0.0
    contrast: float = 0.0
    brightness: float = 0.0
    saturation: float = 0.0

    @property
    def idle(self) -> bool:
        """True when nothing would be changed."""
        return self == Augmentation()

    @property
    def colours(self) -> bool:
        """True when colours are changed."""
        return bool(self.contrast or self.brightness or self.saturation)


RANGES: dict[str, tuple[float, float]] = {
    "crop": (0.1, 1.0),
    "aspect": (0.0, 1.0),
    "shift": (0.0, 0.5),
    "rotation_deg": (0.0, 180.0),
    "shear_deg": (0.0, 60.0),
    "zoom": (0.0, 0.9),
    "contrast": (0.0, 0.95),
    "brightness": (0.0, 0.95),
    "saturation": (0.0, 1.0),
}
