"""What a trained network gets right and wrong on the validation images, stored beside its report."""
