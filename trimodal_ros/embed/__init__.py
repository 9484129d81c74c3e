"""Images, sentences and motions as unit vectors in one space, and the tokens behind them."""
