"""The specification of Overture and Handset, as tests; helpers are imported as `tests.<module>`."""
