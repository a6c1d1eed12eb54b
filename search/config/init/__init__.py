"""The first study of a user's images: what they are, what this device can do, and a study file that suits both."""
