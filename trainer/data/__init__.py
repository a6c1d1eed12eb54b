"""Images: reading, splitting, batches, augmentation."""
