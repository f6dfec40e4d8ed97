"""The card of a broad network: what it is, what it saw, and how to make it again, as Markdown."""

from training.network.broad_network import BroadNetwork


def card_text(name: str, network: BroadNetwork) -> str:
    """The card, from what the file holds."""
    made = network.card
    settings, photos, loss = made["settings"], made["photos"], made["loss"]
    size, geometry = network.geometry.size_px, network.geometry.id
    values = sum(array.size for array in network.weights)
    learnt_at = made["training_px"]
    counts = f"{photos['clean']:,} of at least {learnt_at} px, {photos['small']:,} smaller ones"
    speed = f"AdamW, {settings['learning_rate']:g}, seed {settings['seed']}"
    return f"""# {name}

The broad network: {made["backbone"]} whose features stayed broad. For a shrunk, compressed, blurred or noisy photo, it
learnt to give the features that its teacher gives to the clean photo. It has no classes.

| | |
|---|---|
| id | `{network.id}`: hash of weights, projection, geometry, size and precision |
| input | any photo, stretched to {size} x {size} RGB (`{geometry}`) |
| output | {network.projection.shape[0]:,} features; times a projection, an embedding of {network.projection.shape[1]} |
| background | {len(network.background)} centres of the features of these photos, for the familiarity of a model |
| stored | {values:,} values in {network.precision} |
| teacher | `{made["teacher"]["file"]}`, SHA-256 `{made["teacher"]["sha256"]}` |
| photos | {counts}; labels played no part |
| training | {settings["steps"]:,} batches of {settings["batch_size"]} at {learnt_at} px, {speed} |
| loss | 1 - cosine to the teacher: {loss["first"]:.3f} at first, {loss["last"]:.3f} at the end |
| licence | that of phototriage; it began with Keras's MobileNetV2, whose licence is Apache 2.0. It holds no photo |
| figures | docs/broad-network.md |
| made with | {", ".join(f"{package} {found}" for package, found in sorted(made["versions"].items()))} |
"""
