"""Many runs. Read in this order: jobs, table, local, on_ray, cost, study, tether."""
