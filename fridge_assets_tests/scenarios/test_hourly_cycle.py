def test_x(cycled_template, first_cycle):

    assert first_cycle.success
    print(cycled_template.query("select family, rows, flagged, active_devices from score_runs"))
