"""Much going wrong at once, or at the worst moment: storms, killed workers, restarts and full disks."""
