variants("attainment");
