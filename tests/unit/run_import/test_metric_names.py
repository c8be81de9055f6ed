import pytest

from run_import.metric_names import past_metric_key


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("loss", "loss"),
        ("train_loss", "loss"),
        ("train/loss", "loss"),
        ("Loss/train", "loss"),
        ("epoch_loss", "loss"),
        ("train/epoch_loss", "loss"),
        ("train_loss_epoch", "loss"),
        ("validation/evaluation_loss_vs_iterations", "validation_loss"),
        ("val_loss", "validation_loss"),
        ("val/loss", "validation_loss"),
        ("Loss/val", "validation_loss"),
        ("validation_loss", "validation_loss"),
        ("eval/acc", "validation_accuracy"),
        ("val_acc", "validation_accuracy"),
        ("acc", "accuracy"),
        ("test/acc", "test_accuracy"),
        ("test_accuracy", "test_accuracy"),
        ("Accuracy/test", "test_accuracy"),
        ("lr", "lr"),
        ("train", "train"),
        ("grad norm", "grad_norm"),
    ],
)
def test_past_metric_key(name: str, key: str) -> None:
    assert past_metric_key(name) == key
