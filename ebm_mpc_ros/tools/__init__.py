"""What a person types: `python -m ebm_mpc_ros NAME`."""
