"""The bundled digits."""

import pytest
import torch

from spaces.tasks import Digits, Split


def as_set(split: Split) -> set[bytes]:
    return {image.numpy().tobytes() for image in split.x}


def test_the_parts_are_disjoint_and_together_all_1797_images() -> None:
    from sklearn.datasets import load_digits

    data = Digits().load()
    parts = [data.train, data.validation, data.read_test()]
    assert [len(part.y) for part in parts] == [1079, 359, 359]
    found = torch.cat([part.x for part in parts]).reshape(-1, 64).numpy()
    expected, _ = load_digits(return_X_y=True)
    assert sorted(map(tuple, found)) == sorted(map(tuple, expected))
    images = [as_set(part) for part in parts]
    repeated = 1797 - len({row.tobytes() for row in expected})  # the data set itself may hold an image twice
    assert len(images[0] & images[1]) + len(images[0] & images[2]) + len(images[1] & images[2]) <= repeated


def test_pixels_are_raw_and_labels_belong_to_them() -> None:
    from sklearn.datasets import load_digits

    data = Digits().load()
    assert data.train.x.shape[1:] == (1, 8, 8) == data.input_shape
    assert data.train.x.dtype == torch.float32 and data.train.y.dtype == torch.int64
    assert data.train.x.min() == 0 and data.train.x.max() == 16
    images, labels = load_digits(return_X_y=True)
    known = {image.astype("float32").tobytes(): label for image, label in zip(images, labels, strict=True)}
    assert all(known[x.numpy().tobytes()] == y for x, y in zip(data.train.x, data.train.y.tolist(), strict=True))


def test_the_same_seed_gives_the_same_split_and_another_seed_another() -> None:
    one, same, other = Digits(seed=1).load(), Digits(seed=1).load(), Digits(seed=2).load()
    assert torch.equal(one.train.x, same.train.x) and torch.equal(one.read_test().x, same.read_test().x)
    assert one.digest == same.digest
    assert as_set(one.validation) != as_set(other.validation) and one.digest != other.digest


def test_normalised_training_images_have_mean_0_and_deviation_1_in_channels_last_order() -> None:
    data = Digits().load()
    normal = data.normalise(data.train.x)
    assert abs(normal.mean()) < 1e-4 and abs(normal.std() - 1) < 1e-3
    wide = data.normalise(torch.zeros(2, 1, 8, 8)).expand(2, 1, 8, 8)
    assert wide.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("validation", "test"), [(0, 0.2), (0.2, 0), (0.5, 0.5), (-0.1, 0.2)])
def test_fractions_that_leave_nothing_are_an_error(validation: float, test: float) -> None:
    with pytest.raises(ValueError, match=f"got {validation} and {test}. Write 0.2 and 0.2"):
        Digits(validation, test)
