"""What each op of gradproof means, and the engine that proves it. Importing this package loads neither z3 nor sympy."""
